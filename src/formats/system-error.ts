/** Errors of the operating system, such as ENOSPC, in words for people. */
import { MeshError } from '../model/error.ts';

/** What an error means, and what to do about it. */
interface Meaning {
  readonly words: string;
  readonly remedy: string;
}

const LOOK_AT_PATH = 'Look at each part of the path. --root and --host0-dir name directories.';

const MEANINGS: ReadonlyMap<string, Meaning> = new Map([
  [
    'EACCES',
    { words: 'that is not allowed to this user', remedy: 'Run the command as root, or change the permissions.' },
  ],
  ['EPERM', { words: 'that is not allowed to this user', remedy: 'Run the command as root.' }],
  ['EROFS', { words: 'the file system is read-only', remedy: 'Mount it for writing, or name another directory.' }],
  ['ENOSPC', { words: 'no space is left', remedy: 'Make room on the disk.' }],
  ['EDQUOT', { words: 'the quota of this user is used up', remedy: 'Make room on the disk.' }],
  ['ENOTDIR', { words: 'a part of the path is not a directory', remedy: LOOK_AT_PATH }],
  ['EISDIR', { words: 'that is a directory', remedy: 'Name a file.' }],
  ['ELOOP', { words: 'the symbolic links of the path lead in a circle', remedy: LOOK_AT_PATH }],
  ['ENAMETOOLONG', { words: 'the name is too long', remedy: 'Give a shorter one.' }],
  ['EIO', { words: 'the disk has an error', remedy: 'See the messages of the kernel: `dmesg`.' }],
  ['EMFILE', { words: 'this process has too many open files', remedy: 'Raise the limit: `ulimit -n`.' }],
  ['ENFILE', { words: 'this machine has too many open files', remedy: 'Raise fs.file-max.' }],
  ['ENOENT', { words: 'there is no such file or directory', remedy: LOOK_AT_PATH }],
]);

/** Node answers ENOENT when it cannot make one of several directories, whatever the kernel said. */
const NOT_MADE: Meaning = {
  words: 'the directory cannot be made; perhaps the file system is read-only',
  remedy: 'Mount it for writing, or name another directory.',
};

/** A path as a word of a command that people copy; `FILE` for a path that a shell would take apart. */
export function pathWord(path: string): string {
  return /^[\w@%+=:,./][\w@%+=:,./-]*$/.test(path) ? path : 'FILE';
}

/** The words for a system error; the message of any other. */
export function systemWords(cause: unknown): string {
  const error = MeshError.from(cause);
  return MEANINGS.get(error.errno ?? '')?.words ?? error.message;
}

/**
 * A system error that no command has explained, with what it means: MESH_OBJECT_UNKNOWN for a path that is not there,
 * else MESH_DISK_REFUSED. Any other error is given back unchanged.
 * @param what the object, for an error that names no path
 */
export function explained(error: MeshError, what = 'the system'): MeshError {
  const { errno, cause } = error;
  const operation = operationOf(cause);
  const isMissing = errno === 'ENOENT' && operation !== 'mkdir';
  const meaning = errno === 'ENOENT' && !isMissing ? NOT_MADE : MEANINGS.get(errno ?? '');
  if (error.code !== 'MESH_INTERNAL' || meaning === undefined) return error;
  const object = pathOf(cause) ?? what;
  const code = isMissing ? 'MESH_OBJECT_UNKNOWN' : 'MESH_DISK_REFUSED';
  return new MeshError(code, `${object}: ${meaning.words}`, {
    operation,
    object,
    remedy: meaning.remedy,
    cause,
  });
}

/** The path of a file, or the address of a socket. */
function pathOf(cause: unknown): string | undefined {
  const named = typeof cause === 'object' && cause !== null ? cause : {};
  return ['path', 'address'].map((key): unknown => Reflect.get(named, key)).find((value) => typeof value === 'string');
}

/** The name of the system call. */
function operationOf(cause: unknown): string {
  const call: unknown = typeof cause === 'object' && cause !== null ? Reflect.get(cause, 'syscall') : undefined;
  return typeof call === 'string' ? call : 'call the system';
}
