/** Where files are on a machine. All paths are below one root, so that the hosts of a lab do not share files. */
import { join } from 'node:path';

/** Absolute paths of the files and directories that processes read and write. */
export interface Paths {
  readonly root: string;
  /** A node's network files, in the seed's directory. */
  readonly nodeNetworks: string;
  /** The workload files on host0, in the seed's directory. */
  readonly workloads: string;
  /** The administrator's tree on host0. */
  readonly host0: string;
  /** host0's network files. */
  readonly host0Networks: string;
  /** The administrator's hooks on host0. */
  readonly hooks: string;
  /** host0's settings: the first file that exists is read. */
  readonly host0Conf: readonly string[];
  /** A fixed machine id, 8 hex digits. */
  readonly machineFile: string;
  /** The key of this machine (protocol/shapes/key-file.ts). */
  readonly keyFile: string;
  /** The key that several host0s share: with it, the secrets of the installation are sealed in their store. */
  readonly host0Key: string;
  /** What host0 shows to etcd: certificates, user and password. */
  readonly etcdConf: string;
  /** Directory of files that must survive a reboot. */
  readonly state: string;
  /** Directory of files that must not survive a reboot. */
  readonly run: string;
  /** The network namespaces of the networks that a node serves, by their names. */
  readonly netns: string;
  /** The directories of emulators, by the ids of their workloads. */
  readonly machines: string;
  /** The cache of disk images. */
  readonly images: string;
  /** The volumes of virtual machines whose path is not absolute. */
  readonly volumes: string;
  /** host0's control socket. */
  readonly controlSock: string;
  /** Where host0 answers programs of libvirt. */
  readonly libvirtSock: string;
  /** Where programs of libvirt look for a daemon of networks. */
  readonly virtnetworkdSock: string;
  /** Where a host0 that leads answers its own machine, where several machines can be host0. */
  readonly host0Sockets: string;
  /** The agent's control socket. */
  readonly agentSock: string;
  readonly logs: string;
}

/**
 * The paths of the host whose files are below `root`.
 * @param host0Directory the administrator's tree, where it is not `ROOT/host0`
 */
export function pathsBelow(root: string, host0Directory?: string): Paths {
  const run = join(root, 'run/meshwork');
  const host0 = host0Directory ?? join(root, 'host0');
  return {
    root,
    nodeNetworks: join(root, 'var/pxen/networks'),
    workloads: join(root, 'var/pxen/monoliths'),
    host0,
    host0Networks: join(host0, 'network'),
    hooks: join(host0, 'hooks'),
    host0Conf: [join(host0, 'host0.conf'), join(root, 'etc/pxen/host0.conf')],
    machineFile: join(root, 'etc/meshwork/machine'),
    keyFile: join(root, 'etc/meshwork/key'),
    host0Key: join(root, 'etc/meshwork/host0.key'),
    etcdConf: join(root, 'etc/meshwork/etcd.conf'),
    state: join(root, 'var/lib/meshwork'),
    run,
    netns: join(run, 'netns'),
    machines: join(run, 'vm'),
    images: join(root, 'var/lib/meshwork/disks/images'),
    volumes: join(root, 'var/lib/meshwork/disks/volumes'),
    controlSock: join(run, 'control.sock'),
    libvirtSock: join(run, 'libvirt/network-sock'),
    virtnetworkdSock: join(root, 'run/libvirt/virtnetworkd-sock'),
    host0Sockets: join(run, 'host0'),
    agentSock: join(run, 'agent.sock'),
    logs: join(root, 'var/log/meshwork'),
  };
}
