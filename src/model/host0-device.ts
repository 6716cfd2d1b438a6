/** The device and the name of the host0 that leads, where several machines can be host0. */

/**
 * The macvlan on the bridge of a mesh that has host0's addresses. The bridge keeps those of its own node, so that nothing changes for
 * the others when another machine begins to lead.
 */
export function host0DeviceOf({ type }: { readonly type: { readonly vni: number } }): string {
  return `host0-${type.vni}`;
}

const ON = 'host0-';

/** The name of host0 in lists of members: that of its machine is the name of the node there. */
export function host0NameOn(machine: string): string {
  return `${ON}${machine}`;
}

/** The machine that a name of host0 tells; undefined for a name of another form. */
export function machineOfHost0(name: string): string | undefined {
  return name.startsWith(ON) ? name.slice(ON.length) : undefined;
}
