/**
 * Hooks: a file of POSIX shell, named by XCLUSTER_HOOK, whose functions `cmd_NAME` become commands of `mesh lab`. A module of
 * JavaScript or TypeScript, whose exported functions are named so, works too.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { commandDirectory } from '../../image/node/program-files.ts';
import { MeshError } from '../../model/error.ts';
import { exitCode } from '../hosts/host-shell.ts';
import { shippedFile } from '../shipped-files.ts';

/** A command that a hook adds. */
export interface HookCommand {
  readonly name: string;
  /** The first of its `##` lines that is a sentence. */
  readonly about: string;
  /** The first of its `##` lines that shows how it is called; else its name. */
  readonly usage: string;
}

/** A hook. */
export interface LabHook {
  readonly file: string;
  readonly kind: 'shell' | 'module';
  readonly commands: readonly HookCommand[];
}

const A_COMMAND = 'A command of the hook';
const FUNCTION = /^cmd_([A-Za-z]\w*)\s*\(\)/;

/** The commands that come with labs, in the words of xcluster. */
export function shippedHook(): LabHook {
  const file = shippedFile('hook', 'commands.sh');
  return { file, kind: 'shell', commands: commandsIn(readFileSync(file, 'utf8')) };
}

/** The hook that the environment names; undefined where it names none. @throws MESH_LAB_HOOK */
export function namedHook(path = process.env.XCLUSTER_HOOK ?? ''): LabHook | undefined {
  if (path === '') return undefined;
  const file = resolve(path);
  const refuse = (message: string, remedy: string) =>
    new MeshError('MESH_LAB_HOOK', message, {
      object: file,
      rule: 'XCLUSTER_HOOK names a file of POSIX shell with functions cmd_NAME, or a module that exports such functions.',
      remedy,
    });
  if (!existsSync(file)) throw refuse(`there is no hook ${file}`, 'Name a file that is there, or unset XCLUSTER_HOOK.');
  if (!statSync(file).isFile()) throw refuse(`the hook ${file} is no file`, 'Name a file, or unset XCLUSTER_HOOK.');
  const text = readFileSync(file, 'utf8');
  if (/\.[cm]?[jt]s$/.test(file)) {
    const names = [...text.matchAll(/^export\s+(?:async\s+)?(?:function|const)\s+cmd_([A-Za-z]\w*)/gm)].flatMap(
      ([, name]) => name ?? [],
    );
    if (names.length === 0)
      throw refuse(`the hook ${file} exports no function cmd_NAME`, 'Export a function, as cmd_mystart.');
    return { file, kind: 'module', commands: names.map((name) => ({ name, about: A_COMMAND, usage: name })) };
  }
  const { status, stderr } = spawnSync('sh', ['-n', file], { encoding: 'utf8' });
  if (status !== 0)
    throw refuse(
      `the hook is no shell script: ${stderr.trim().split('\n')[0]}`,
      `Mend it until \`sh -n ${file}\` says nothing.`,
    );
  const commands = commandsIn(text);
  if (commands.length === 0)
    throw refuse(
      `the hook ${file} has no function cmd_NAME`,
      'Write one: `mesh lab hook print cmd_start` has one to copy.',
    );
  return { file, kind: 'shell', commands };
}

/** What the environment names as a hook. */
export interface NamedHook {
  readonly hook?: LabHook;
  /** MESH_LAB_HOOK: why there is no hook. */
  readonly trouble?: MeshError;
  /** What the hook gives, or would give. */
  readonly names: ReadonlySet<string>;
}

/** The hook that the environment names, or its trouble: the commands that it does not give work without it. Never throws. */
export function lookedForHook(path = process.env.XCLUSTER_HOOK ?? ''): NamedHook {
  try {
    const hook = namedHook(path);
    return { ...(hook !== undefined && { hook }), names: new Set(hook?.commands.map(({ name }) => name)) };
  } catch (error) {
    const file = resolve(path);
    const isReadable = existsSync(file) && statSync(file).isFile();
    const names = isReadable ? commandsIn(readFileSync(file, 'utf8')).map(({ name }) => name) : [];
    return { trouble: MeshError.from(error), names: new Set(names) };
  }
}

/** The variable with the names of the commands of hooks that run, each of which has called the next one. */
const RUNNING = 'MESH_LAB_HOOK_COMMANDS';

/** The commands that a hook has begun to run above this process. A hook that calls one of them means what the hook replaces. */
export function runningHookCommands(): ReadonlySet<string> {
  return new Set((process.env[RUNNING] ?? '').split(' ').filter((name) => name !== ''));
}

function commandsIn(text: string): HookCommand[] {
  const commands: HookCommand[] = [];
  let help: string[] = [];
  for (const line of text.split('\n')) {
    const said = /^##\s*(.*)$/.exec(line)?.[1];
    if (said !== undefined) help.push(said);
    const name = FUNCTION.exec(line)?.[1];
    if (name === undefined) continue;
    const usage = help.find((each) => each === name || each.startsWith(`${name} `)) ?? name;
    commands.push({ name, about: help.find((each) => each !== usage) ?? A_COMMAND, usage });
    help = [];
  }
  return commands;
}

/** The text of a function of the hook that comes with labs, with its help. @throws MESH_LAB_HOOK */
export function hookFunction(name: string): string {
  const { file, commands } = shippedHook();
  const lines = readFileSync(file, 'utf8').split('\n');
  const start = lines.findIndex((line) => line.startsWith(`${name}()`));
  if (start < 0) {
    throw new MeshError('MESH_LAB_HOOK', `the hook that comes with labs has no function ${name}`, {
      object: name,
      remedy: `Name one of ${commands.map((command) => `cmd_${command.name}`).join(', ')}.`,
    });
  }
  let first = start;
  while (lines[first - 1]?.startsWith('#') === true) first--;
  const end = lines.findIndex((line, index) => index > start && line === '}');
  return `${lines.slice(first, end + 1).join('\n')}\n`;
}

/** Runs a command of a hook with this process's own terminal. @returns its exit code. @throws MESH_LAB_HOOK */
export async function runHookCommand(
  hook: LabHook,
  name: string,
  words: readonly string[],
  lab: string,
): Promise<number> {
  const env = {
    ...process.env,
    [RUNNING]: [...runningHookCommands(), name].join(' '),
    MESH_LAB: lab,
    PATH: `${commandDirectory}:${process.env.PATH ?? '/usr/bin:/bin'}`,
  };
  if (hook.kind === 'shell') {
    const shipped = shippedFile('hook', 'commands.sh');
    const dispatch = shippedFile('hook', 'dispatch.sh');
    return await exitCode(spawn('sh', [dispatch, shipped, hook.file, name, ...words], { stdio: 'inherit', env }));
  }
  const loaded: unknown = await import(pathToFileURL(hook.file).href).catch((cause: unknown) => {
    throw new MeshError('MESH_LAB_HOOK', `the hook ${hook.file} cannot be loaded: ${String(cause)}`, {
      object: hook.file,
      cause,
    });
  });
  const command: unknown =
    typeof loaded === 'object' && loaded !== null ? Reflect.get(loaded, `cmd_${name}`) : undefined;
  if (typeof command !== 'function')
    throw new MeshError('MESH_LAB_HOOK', `the hook ${hook.file} exports no function cmd_${name}`, {
      object: hook.file,
    });
  const mesh = (...own: string[]) => exitCode(spawn('mesh', own, { stdio: 'inherit', env }));
  const code: unknown = await Reflect.apply(command, undefined, [{ words, mesh }]);
  return typeof code === 'number' ? code : 0;
}
