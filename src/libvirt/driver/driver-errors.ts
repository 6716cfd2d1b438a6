/** Makes libvirt's errors of ours. */
import { type ErrorCode, MeshError } from '../../model/error.ts';
import { VIR_CODE as CODE, VirError } from '../rpc/vir-error.ts';

/** The code that a program of libvirt's expects for each of ours. For all others the answer is an internal error. */
const CODES: ReadonlyMap<ErrorCode, number> = new Map<ErrorCode, number>([
  ['MESH_NET_UNKNOWN', CODE.noNetwork],
  ['MESH_PORT_UNKNOWN', CODE.noPort],
  ['MESH_NET_SOURCE', CODE.operationInvalid],
  ['MESH_NET_ACTIVE', CODE.operationInvalid],
  ['MESH_NET_INACTIVE', CODE.operationInvalid],
  ['MESH_NET_TRANSIENT', CODE.operationInvalid],
  ['MESH_NET_UUID_TWICE', CODE.operationFailed],
  ['MESH_NET_NAME_TWICE', CODE.operationFailed],
  // Of a bridge that another network has, libvirt says it so.
  ['MESH_NET_DEVICE_TWICE', CODE.internal],
  ['MESH_NET_IN_USE', CODE.operationInvalid],
  ['MESH_NET_NOT_SUPPORTED', CODE.unsupportedConfig],
  ['MESH_NET_INVALID', CODE.unsupportedConfig],
  ['MESH_NET_NAME_INVALID', CODE.unsupportedConfig],
  ['MESH_USAGE', CODE.invalidArgument],
]);

/** What a client is told of anything that was thrown. Our remedy follows the sentence: virsh shows it. */
export function libvirtErrorOf(thrown: unknown): VirError {
  if (thrown instanceof VirError) return thrown;
  const error = MeshError.from(thrown);
  const { libvirt } = carried(error);
  if (libvirt !== undefined) return VirError.of(libvirt.code, libvirt.message, libvirt.domain);
  const { code, message, remedy } = error;
  const text = code === 'MESH_INTERNAL' ? 'a fault of host0, which its journal tells' : message;
  return VirError.of(CODES.get(code) ?? CODE.internal, remedy === undefined ? text : `${text}. ${remedy}`);
}

/** Whether what was thrown is a fault of ours, and no refusal. */
export function isOwnFault(thrown: unknown): boolean {
  return !(thrown instanceof VirError) && MeshError.from(thrown).code === 'MESH_INTERNAL';
}

/** What an error of an XML document carries. */
interface Carried {
  readonly libvirt?: { readonly code: number; readonly domain: number; readonly message: string };
}

function carried(error: MeshError & Carried): Carried {
  return error;
}
