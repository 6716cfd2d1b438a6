/** The refusals of the driver, in libvirt's words. */
import { LIBVIRT_CODE as CODE, LIBVIRT_DOMAIN, LibvirtError } from '../rpc/libvirt-error.ts';

/** The state of a network does not allow a call. */
export function notNow(detail: string): LibvirtError {
  return LibvirtError.of(CODE.operationInvalid, detail);
}

export function noNetwork(detail: string): LibvirtError {
  return LibvirtError.of(CODE.noNetwork, detail);
}

export function noPort(uuid: string): LibvirtError {
  return LibvirtError.of(CODE.noPort, `Network port with UUID ${uuid} does not exist`);
}

/** A call has flags that its function does not know. */
export function unsupportedFlags(flags: number, name: string): LibvirtError {
  const message = `unsupported flags (0x${flags.toString(16)}) in function ${name}`;
  const init = { str1: 'unsupported flags (0x%lx) in function %s', str2: name, int1: 0, int2: 0 };
  return new LibvirtError(CODE.invalidArgument, message, init);
}

/** An argument is not one that the function takes. */
export function badArgument(message: string): LibvirtError {
  return new LibvirtError(CODE.invalidArgument, message, { int1: 0, int2: 0 });
}

/** The client has not opened its connection, or opened it already. */
export function connectionState(detail: string): LibvirtError {
  return LibvirtError.of(CODE.internal, detail, LIBVIRT_DOMAIN.rpc);
}

/** The name of the public function behind a call: `virNetworkDefineXML`. */
export function publicName(name: string): string {
  return `vir${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

export function readOnly(name: string): LibvirtError {
  return LibvirtError.of(CODE.denied, `read only access prevents ${publicName(name)}`);
}
