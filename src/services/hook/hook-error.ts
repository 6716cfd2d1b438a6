/** What can be wrong with a hook. Each fault has its own words, and a remedy that heals it. */
import { MeshError } from '../../model/error.ts';

/** Longer words of a hook would hide what host0 says of it. */
const WORDS_MAX_LENGTH = 400;
const LAST_LINES = 3;

/** Others than root may change a file that runs as root, or a directory on the way to it. */
export function hookUnsafe(path: string, changeable: string, why: string): MeshError {
  return new MeshError('MESH_HOOK_UNSAFE', `${path} is not run: ${changeable} ${why}`, {
    operation: 'run a hook',
    object: path,
    rule: 'A hook runs as root. So only root may change it, and the directories that it is in.',
    remedy: `Look at the file first. Then: chown root ${changeable} && chmod go-w ${changeable}`,
  });
}

/** The remedies for what the system says of a file that it cannot start. */
const START_REMEDIES: Readonly<Record<string, (path: string) => string>> = {
  EACCES: (path) => `Run \`chmod +x ${path}\`. To turn the hook off, rename it to ${path}.off`,
  EISDIR: (path) => `Put the executable itself there, or move ${path} away.`,
  ENOENT: (path) => `Correct the first line of ${path}: it names a program that this machine does not have.`,
  ENOEXEC: (path) => `Put a script or a program for this machine's architecture in place of ${path}.`,
  ETXTBSY: (path) => `A program has ${path} open for writing. Write a hook under another name, and rename it.`,
};

/** A hook cannot be started. */
export function hookNotStarted(path: string, cause: unknown, errno: string): MeshError {
  const remedy = START_REMEDIES[errno]?.(path) ?? `Start ${path} by hand to see what is wrong.`;
  return new MeshError('MESH_HOOK_NOT_STARTED', `${path} cannot be started: ${startFault(errno)}`, {
    operation: 'run a hook',
    object: path,
    remedy,
    cause,
  });
}

function startFault(errno: string): string {
  switch (errno) {
    case 'EACCES':
      return 'it is not executable';
    case 'EISDIR':
      return 'it is no file';
    case 'ENOENT':
      return 'the program in its first line does not exist';
    case 'ENOEXEC':
      return 'it is no program of this machine';
    case 'ETXTBSY':
      return 'it is being written';
    default:
      return errno;
  }
}

/** It cannot be noted that a hook runs, so that the hook was ended at once. */
export function hookNotNoted(path: string, directory: string, cause: unknown): MeshError {
  const { message } = MeshError.from(cause);
  return new MeshError(
    'MESH_HOOK_NOT_STARTED',
    `${path} was ended at once: host0 cannot note that it runs: ${message}`,
    {
      operation: 'run a hook',
      object: path,
      rule: 'host0 notes each hook that runs, so that the next host0 can end those that a killed one has left.',
      remedy: `See that the file system of ${directory} has room: \`df ${directory}\``,
      cause,
    },
  );
}

/** There is no such file. */
export function hookMissing(path: string): MeshError {
  return new MeshError('MESH_HOOK_NOT_STARTED', `${path} cannot be started: there is no such file`, {
    operation: 'run a hook',
    object: path,
    remedy: `Put an executable at ${path}, or correct the setting that names it.`,
  });
}

/** A hook ended with a status other than 0. In the phase `before`, it refuses. */
export function hookRefused(path: string, words: string): MeshError {
  return new MeshError('MESH_HOOK_REFUSED', `${path} refused: ${words}`, {
    object: path,
    rule: 'A hook that runs before a step may refuse the step: it ends with a status other than 0.',
    remedy: 'The words are those of the hook. Do what they say, and order again.',
  });
}

/** A hook ended with a status other than 0, or was killed. */
export function hookFailed(path: string, end: string, words: string): MeshError {
  return new MeshError('MESH_HOOK_FAILED', `${path} ${end}${words === '' ? '' : `: ${words}`}`, {
    operation: 'run a hook',
    object: path,
    remedy: 'Correct the hook. `mesh events` has what it wrote.',
  });
}

/** A hook did not end in time. */
export function hookLate(path: string, timeLimitMs: number, words: string): MeshError {
  const said = words === '' ? '' : `; its last words: ${words}`;
  return new MeshError('MESH_HOOK_LATE', `${path} was ended after ${timeLimitMs / 1_000} s${said}`, {
    operation: 'run a hook',
    object: path,
    remedy: `Make the hook quicker, or give it more time: the line \`time-limit-sec=120\` in ${path}.conf`,
    retryable: true,
  });
}

/** A hook wrote more than host0 takes. */
export function hookTalks(path: string, maxBytes: number): MeshError {
  return new MeshError('MESH_HOOK_OUTPUT', `${path} was ended: it wrote more than ${maxBytes / 1_024} KiB`, {
    operation: 'run a hook',
    object: path,
    remedy: 'Have the hook write less, or write into a file of its own.',
  });
}

/** A hook wrote something that begins like an object and is none. */
export function hookAnswerWrong(path: string, fault: string): MeshError {
  return new MeshError('MESH_HOOK_OUTPUT', `the answer of ${path} ${fault}`, {
    operation: 'run a hook',
    object: path,
    rule: 'What a hook writes to its standard output and what begins with `{` is one JSON object.',
    remedy: 'Have the hook write one object, and everything else to its standard error.',
  });
}

/** A hook that an earlier host0 has left running cannot be ended, or its note cannot be read. */
export function hookLeftOver(note: string, cause: unknown): MeshError {
  const { code, message } = MeshError.from(cause);
  return new MeshError(code, `a hook of the host0 before is left over: ${message}`, {
    operation: 'end left-over hooks',
    object: note,
    remedy: `host0 goes on without it. Look at the process that ${note} names, or restart the machine.`,
    cause,
  });
}

/** The hook was ended because its order was cancelled, or because host0 ends. */
export function hookEnded(path: string): MeshError {
  return new MeshError('MESH_HOOK_ENDED', `${path} was ended before it was done`, {
    operation: 'run a hook',
    object: path,
    remedy: 'Nothing needs to be done: host0 runs the hook again if the step is still wanted.',
    retryable: true,
  });
}

/** The last lines of what a hook wrote, as one line. */
export function lastWords(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.slice(-LAST_LINES).join('; ').slice(-WORDS_MAX_LENGTH);
}
