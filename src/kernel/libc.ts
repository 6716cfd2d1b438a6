/**
 * The few C library calls that Node has no binding for: sockets of other families, options such as SO_BINDTODEVICE, and
 * network namespaces. Only the kernel room calls them. Each returns what C returns; `failed` turns -1 into an error.
 */
import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { MeshError } from '../model/error.ts';

/** The running process: it has loaded the C library already, glibc or musl. */
const process_ = koffi.load(null);

/** Sockets between processes of one machine (linux/socket.h). */
export const AF_UNIX = 1;
/** IPv4 (linux/socket.h). */
export const AF_INET = 2;
/** Netlink messages about bridge ports and FDB entries (linux/socket.h). */
export const AF_BRIDGE = 7;
/** IPv6 (linux/socket.h). */
export const AF_INET6 = 10;
/** Sockets that talk to the kernel in netlink messages (linux/socket.h). */
export const AF_NETLINK = 16;
/** TCP sockets (linux/net.h, as all SOCK_*). */
export const SOCK_STREAM = 1;
/** UDP sockets, and packet sockets without the link-layer header. */
export const SOCK_DGRAM = 2;
/** Raw ICMP and netlink sockets, and packet sockets with the link-layer header. */
export const SOCK_RAW = 3;
/** Socket type flag: calls return EAGAIN instead of waiting. */
export const SOCK_NONBLOCK = 0o4000;
/** Socket type flag: child processes do not inherit the socket. */
export const SOCK_CLOEXEC = 0o2000000;
/** Level of the options that every socket has (asm-generic/socket.h, as all SO_*). */
export const SOL_SOCKET = 1;
/** Listens although old connections of the port are still in TIME_WAIT. */
export const SO_REUSEADDR = 2;
/** Ties a socket to one device, given by its name. */
export const SO_BINDTODEVICE = 25;
/** Sets the receive buffer in bytes, beyond `net.core.rmem_max`; needs CAP_NET_ADMIN. */
export const SO_RCVBUFFORCE = 33;
/** recv flag: returns EAGAIN instead of waiting (linux/socket.h, as all MSG_*). */
export const MSG_DONTWAIT = 0x40;
/** Flag of setns and unshare: the network namespace (linux/sched.h). */
export const CLONE_NEWNET = 0x40000000;
/** memfd_create flag: child processes do not inherit the file (linux/memfd.h). */
export const MFD_CLOEXEC = 1;
/** Nothing waits to be read now (asm-generic/errno.h, as all E*). */
export const EAGAIN = 11;
/** The device of the socket went down. */
export const ENETDOWN = 100;
/** The process lacks a capability. */
export const EPERM = 1;
/** The object does not exist. */
export const ENOENT = 2;
/** The link does not exist. */
export const ENODEV = 19;
/** The receive buffer was full, and the kernel dropped messages for this socket. */
export const ENOBUFS = 105;
/** recv flag: returns the full length of a packet that did not fit the buffer. */
export const MSG_TRUNC = 0x20;
/** The packet is larger than the path takes, and must not be fragmented. */
export const EMSGSIZE = 90;

/** The C functions, with the names and signatures of their man pages. */
export const libc = {
  socket: process_.func('int socket(int domain, int type, int protocol)'),
  bind: process_.func('int bind(int fd, const void *address, uint32_t length)'),
  connect: process_.func('int connect(int fd, const void *address, uint32_t length)'),
  listen: process_.func('int listen(int fd, int backlog)'),
  getsockname: process_.func('int getsockname(int fd, _Out_ void *address, _Inout_ uint32_t *length)'),
  setsockopt: process_.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)'),
  sendto: process_.func(
    'long sendto(int fd, const void *data, size_t length, int flags, const void *address, uint32_t addressLength)',
  ),
  recv: process_.func('long recv(int fd, _Out_ void *data, size_t length, int flags)'),
  recvfrom: process_.func(
    'long recvfrom(int fd, _Out_ void *data, size_t length, int flags, _Out_ void *address, _Inout_ uint32_t *addressLength)',
  ),
  close: process_.func('int close(int fd)'),
  setns: process_.func('int setns(int fd, int type)'),
  unshare: process_.func('int unshare(int flags)'),
  getsockopt: process_.func('int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ uint32_t *length)'),
  memfd_create: process_.func('int memfd_create(const char *name, unsigned int flags)'),
  mount: process_.func(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
  ),
  umount2: process_.func('int umount2(const char *target, int flags)'),
  flock: process_.func('int flock(int fd, int operation)'),
  ioctl: process_.func('int ioctl(int fd, unsigned long request, _Inout_ void *argument)'),
  /** The same function, for requests whose argument is a number. */
  ioctlValue: process_.func('ioctl', 'int', ['int', 'unsigned long', 'unsigned long']),
};

/**
 * The errno of the last C call, as an error. Call it directly after that call: any other call in between resets errno.
 * @returns MESH_KERNEL_REFUSED
 */
export function failed(operation: string, object: string, remedy?: string): MeshError {
  return errnoError(koffi.errno(), operation, object, remedy);
}

/**
 * A refusal of the kernel as an error. EAGAIN, EBUSY, ENOBUFS and EINTR are marked as worth a retry.
 * @param errno positive, as in errno.h
 * @param text the kernel's explanation beside the errno (netlink's extended acknowledgement)
 * @returns MESH_KERNEL_REFUSED, with `{errno, name, text}` as its cause
 */
export function errnoError(errno: number, operation: string, object: string, remedy?: string, text = ''): MeshError {
  const name = errno > 0 ? getSystemErrorName(-errno) : 'no errno';
  const reason = text === '' ? name : `${name}: ${text}`;
  return new MeshError('MESH_KERNEL_REFUSED', `${operation} ${object}: ${reason}`, {
    operation,
    object,
    cause: { errno, name, text },
    retryable: name === 'EAGAIN' || name === 'EBUSY' || name === 'ENOBUFS' || name === 'EINTR',
    ...(remedy !== undefined && { remedy }),
  });
}
