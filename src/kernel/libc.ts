/**
 * The few C library calls that Node has no binding for: sockets of other families, options such as SO_BINDTODEVICE, and
 * network namespaces. Only the kernel room calls them. Each returns what C returns; `failed` turns -1 into an error.
 */
import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { MeshError } from '../model/error.ts';

/** The running process itself: glibc and musl alike are loaded already. */
const process_ = koffi.load(null);

export const AF_INET = 2;
export const AF_BRIDGE = 7;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_BINDTODEVICE = 25;
export const SO_RCVBUFFORCE = 33;
export const MSG_DONTWAIT = 0x40;
export const CLONE_NEWNET = 0x40000000;
export const MFD_CLOEXEC = 1;
export const EAGAIN = 11;
export const ENETDOWN = 100;
export const ENOENT = 2;
export const ENODEV = 19;
export const ENOBUFS = 105;
export const MSG_TRUNC = 0x20;
export const EMSGSIZE = 90;

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
  ioctl: process_.func('int ioctl(int fd, unsigned long request, _Inout_ void *argument)'),
};

/**
 * The errno of the last call as an error. Must be called at once after it: any other call in between resets errno.
 * @returns MESH_KERNEL_REFUSED
 */
export function failed(operation: string, object: string, remedy?: string): MeshError {
  return errnoError(koffi.errno(), operation, object, remedy);
}

/**
 * @param errno positive, as in errno.h
 * @param text what the kernel says beside it (netlink's extended acknowledgement)
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
