/** Capabilities (capabilities(7)): a process of root may lack some, in a container or under a service manager. */

/** The capabilities that networks need: to change links, to send and hear raw packets, to make namespaces. */
type Capability = 'CAP_NET_ADMIN' | 'CAP_NET_RAW' | 'CAP_SYS_ADMIN';

/** The remedy for a refusal of the kernel (EPERM) that means that the process lacks the capability. */
export function capabilityRemedy(capability: Capability): string {
  return `Give the process ${capability}: root has it, except in a container or a service that does without it.`;
}
