/**
 * Which files are the hooks of an event, and whether they may be run. Names and order are those of run-parts(8), so that a backup
 * of an editor, a README or `10-quota.off` is no hook.
 */
import { lstatSync, readdirSync, readFileSync, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hookMissing, hookNotStarted, hookUnsafe } from './hook-error.ts';

/** The names that run-parts runs: no dot, no tilde. */
const NAME = /^[A-Za-z0-9_-]+$/;
const GROUP_OR_OTHERS_WRITE = 0o022;
const STICKY = 0o1000;
const ANY_EXECUTE = 0o111;
const ROOT = 0;
/** A file of settings is one line. */
const TIME_LIMIT = /^\s*time-limit-sec\s*=\s*([1-9]\d{0,4})\s*$/m;
const MS_PER_SEC = 1_000;

/** Whether a word can be the name of an event, and so of its hooks. */
export function isHookName(text: string): boolean {
  return NAME.test(text);
}

/**
 * The hooks of an event, as paths below the directory: the file `EVENT`, then those in `EVENT.d/` in the order of their bytes.
 * A directory that does not exist has none.
 */
export function hooksOf(directory: string, event: string): string[] {
  const single = lstatSync(join(directory, event), { throwIfNoEntry: false }) === undefined ? [] : [event];
  let names: string[] = [];
  try {
    names = readdirSync(join(directory, `${event}.d`)).filter(isHookName);
  } catch {
    // Most events have no hooks.
  }
  const inBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
  return [...single, ...names.sort(inBytes).map((name) => join(`${event}.d`, name))];
}

/**
 * @throws MESH_HOOK_UNSAFE if others than root may change what would run as root, MESH_HOOK_NOT_STARTED for what is no executable
 */
export function checkHook(path: string): void {
  let real: string;
  let file: Stats;
  try {
    real = realpathSync(path);
    file = statSync(real);
  } catch {
    throw hookMissing(path);
  }
  if (file.isDirectory()) throw hookNotStarted(path, undefined, 'EISDIR');
  mustBeSafe(path, real, file, 0);
  for (let place = dirname(real); ; place = dirname(place)) {
    // In a sticky directory, such as /tmp, nobody but root can replace what belongs to root.
    mustBeSafe(path, place, statSync(place), STICKY);
    if (place === dirname(place)) break;
  }
  // The name itself may be a link in a directory that others write to.
  mustBeSafe(path, dirname(path), statSync(dirname(path)), STICKY);
  if ((file.mode & ANY_EXECUTE) === 0) throw hookNotStarted(path, undefined, 'EACCES');
}

function mustBeSafe(hook: string, place: string, { uid, mode }: Stats, excused: number): void {
  if (uid !== ROOT) throw hookUnsafe(hook, place, `belongs to the user ${uid}`);
  if ((mode & GROUP_OR_OTHERS_WRITE) === 0 || (mode & excused) !== 0) return;
  throw hookUnsafe(hook, place, 'can be written by others than root');
}

/** The time limit of a hook: that of the line `time-limit-sec=120` in `HOOK.conf`, a name that is no hook. */
export function timeLimitOf(path: string, defaultMs: number): number {
  try {
    const [, sec] = TIME_LIMIT.exec(readFileSync(`${path}.conf`, 'utf8')) ?? [];
    return sec === undefined ? defaultMs : Number(sec) * MS_PER_SEC;
  } catch {
    return defaultMs;
  }
}
