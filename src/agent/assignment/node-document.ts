/**
 * Folds the sources of a node into the one document that the planner takes: the meshes of its files, what host0 has given, and
 * the ports that its administrator plugged in. Pure.
 *
 * - A file wins for its number, name, prefix, devices and VNI. What host0 gives beside it is left out, with the reason.
 * - host0 may add services and ports to the network of a file. It never changes the management mesh, over which it is heard.
 * - For an interface, the administrator's own `mesh port plug` wins.
 */
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { conflictError, judgeNetworks } from '../../model/network/network-conflicts.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { AssignedUnderlay } from '../../protocol/documents/assignment.ts';
import type {
  AssignedPort,
  AttachmentReason,
  NodeAttachment,
  NodeDocument,
} from '../../protocol/documents/node-assignment.ts';

/** What host0 has given a node. */
export interface GivenObjects {
  readonly attachments: readonly NodeAttachment[];
  readonly ports: readonly AssignedPort[];
}

/** What of that the node can have beside its files. */
export interface JudgedGiven {
  /** Networks that no file has. */
  readonly attachments: readonly NodeAttachment[];
  /** What host0 adds to the networks of files. */
  readonly additions: ReadonlyMap<NetworkId, NodeAttachment>;
  readonly ports: readonly AssignedPort[];
  /** Why the node cannot have a network of these. */
  readonly refusedNetworks: ReadonlyMap<NetworkId, MeshError>;
  /** Why the node cannot have a port of these, by the name of its interface. */
  readonly refusedPorts: ReadonlyMap<string, RefusedPort>;
}

/** A port that host0 has given and the node cannot have. */
export interface RefusedPort {
  readonly port: AssignedPort;
  readonly error: MeshError;
}

/** Nothing from host0. */
export const NOTHING_GIVEN: JudgedGiven = {
  attachments: [],
  additions: new Map(),
  ports: [],
  refusedNetworks: new Map(),
  refusedPorts: new Map(),
};

/** The sources of a node. */
export interface NodeSources {
  /** The meshes of the node's files, each with its members. */
  readonly files: readonly NodeAttachment[];
  readonly given: JudgedGiven;
  /** The ports that the node's administrator plugged in. */
  readonly plugged: readonly { readonly link: string; readonly network: NetworkId }[];
  /** host0's NICs and segments. Absent on other nodes. */
  readonly underlay?: AssignedUnderlay;
}

/**
 * Judges what host0 has given beside the networks of the node's files.
 * @param management the mesh of the files over which host0 is heard
 */
export function judgeGiven(
  files: readonly Network[],
  { attachments, ports }: GivenObjects,
  management: NetworkId | undefined,
): JudgedGiven {
  const ofFiles = new Set(files.map(({ id }) => id));
  const others = attachments.filter(({ network }) => !ofFiles.has(network.id));
  const { conflicts } = judgeNetworks([...files, ...others.map(({ network }) => network)]);
  const refusedNetworks = new Map(conflicts.map((conflict) => [conflict.newcomer.id, conflictError(conflict)]));
  const added = attachments.filter(({ network: { id } }) => ofFiles.has(id) && id !== management);
  const refused = ports.filter(({ network }) => management !== undefined && network === management);
  return {
    attachments: others.filter(({ network }) => !refusedNetworks.has(network.id)),
    additions: new Map(added.map((attachment) => [attachment.network.id, attachment])),
    ports: ports.filter((port) => !refused.includes(port)),
    refusedNetworks,
    refusedPorts: new Map(refused.map((port) => [port.link, { port, error: inManagement(port.link) }])),
  };
}

/** The document of a node. */
export function foldSources({ files, given, plugged, underlay }: NodeSources): NodeDocument {
  const links = new Set(plugged.map(({ link }) => link));
  const ports = [...plugged, ...given.ports.filter(({ link }) => !links.has(link))];
  const withPorts = new Set(ports.map(({ network }) => network));
  const { segments = [], nics = [] } = underlay ?? {};
  return {
    attachments: [
      ...files.map((file) => withReasons(withAddition(file, given.additions.get(file.network.id)), withPorts)),
      ...given.attachments.map((attachment) => withReasons(attachment, withPorts)),
    ],
    ports,
    segments,
    nics,
  };
}

/** The network and its peers stay those of the file. */
function withAddition(file: NodeAttachment, added: NodeAttachment | undefined): NodeAttachment {
  if (added === undefined) return file;
  const reasons = new Set<AttachmentReason>([...file.reasons, ...added.reasons]);
  return { ...file, reasons: [...reasons], services: added.services };
}

/** A port of the node is a reason, also before host0 has heard of the port. */
function withReasons(attachment: NodeAttachment, withPorts: ReadonlySet<NetworkId>): NodeAttachment {
  const { reasons, network } = attachment;
  if (reasons.includes('port') || !withPorts.has(network.id)) return attachment;
  return { ...attachment, reasons: [...reasons, 'port'] };
}

function inManagement(link: string): MeshError {
  return new MeshError('MESH_PORT_UNFIT', `host0 wants ${link} in the management mesh of this node`, {
    object: link,
    rule: 'An assignment never changes the management mesh: host0 is heard over it.',
    remedy: 'Delete the port on host0, and make it in another network.',
  });
}
