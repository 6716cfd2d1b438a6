/** The refusals of the driver, in libvirt's words. */
import { VIR_CODE as CODE, VIR_DOMAIN, VirError } from '../rpc/vir-error.ts';

/** The state of a network does not allow a call. */
export function notNow(detail: string): VirError {
  return VirError.of(CODE.operationInvalid, detail);
}

/** No network has this name or UUID. */
export function noNetwork(detail: string): VirError {
  return VirError.of(CODE.noNetwork, detail);
}

/** The network has no port of this UUID. */
export function noPort(uuid: string): VirError {
  return VirError.of(CODE.noPort, `Network port with UUID ${uuid} does not exist`);
}

/** A call has flags that its function does not know. */
export function unsupportedFlags(flags: number, name: string): VirError {
  const message = `unsupported flags (0x${flags.toString(16)}) in function ${name}`;
  const init = { str1: 'unsupported flags (0x%lx) in function %s', str2: name, int1: 0, int2: 0 };
  return new VirError(CODE.invalidArgument, message, init);
}

/** An argument is not one that the function takes. */
export function badArgument(message: string): VirError {
  return new VirError(CODE.invalidArgument, message, { int1: 0, int2: 0 });
}

/** The client has not opened its connection, or opened it already. */
export function connectionState(detail: string): VirError {
  return VirError.of(CODE.internal, detail, VIR_DOMAIN.rpc);
}

/** The name of the public function behind a call: `virNetworkDefineXML`. */
export function publicName(name: string): string {
  return `vir${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

/** A client that only reads wants to change something. */
export function readOnly(name: string): VirError {
  return VirError.of(CODE.denied, `read only access prevents ${publicName(name)}`);
}
