/** Templates of machines: a machine without cards boots once, waits for its cards, and is kept as it is then. */
import { mkdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MeshError } from '../../model/error.ts';
import { awaitEnd, isRunning, type ProcessMark, signalProcess } from '../../services/process/process-mark.ts';
import { saveState } from '../../services/qemu/saved-state.ts';
import { type TemplateSpec, templateKey, templateMachine } from '../templates/template-key.ts';
import {
  draftTemplate,
  memoryIn,
  removeTemplate,
  shelve,
  stateIn,
  type Template,
} from '../templates/template-shelf.ts';
import { cleanConsole } from './console-text.ts';
import { tellWords } from './vm-copy.ts';
import { switchOnIn, vmMonitor } from './vm-emulator.ts';
import { consoleLog, emulatorLog } from './vm-files.ts';
import { consoleText, isHopeless } from './vm-trouble.ts';

/** What a console says when a machine waits for its cards. */
export const WAITING_SIGN = 'lab: waits for its cards';

/** What makes the templates of a lab. */
export interface TemplateSetting {
  /** The directory of the lab. */
  readonly directory: string;
  readonly netns: string;
  readonly signal?: AbortSignal | undefined;
}

const LOOK_MS = 20;
/** Twenty times what a boot takes on an idle machine. */
const WITHIN_MS = 60_000;
const END_WITHIN_MS = 20_000;

/**
 * Makes the template of a machine, in some seconds.
 * @param overlays their names or paths, for people
 * @throws MESH_LAB_TEMPLATE; the error of the signal
 */
export async function makeTemplate(
  spec: TemplateSpec,
  overlays: readonly string[],
  setting: TemplateSetting,
): Promise<Template> {
  const key = templateKey(spec);
  const { memoryBytes } = spec;
  const draft = await draftTemplate(memoryBytes);
  // Commands that start machines of one lab may run side by side.
  const own = join(setting.directory, `template-${process.pid}`);
  try {
    mkdirSync(own, { recursive: true });
    await make(spec, own, draft, setting);
    return await shelve(draft, { key, memoryBytes, overlays: overlays.map((path) => basename(path)) });
  } catch (error) {
    await removeTemplate({ directory: draft });
    setting.signal?.throwIfAborted();
    const { message } = MeshError.from(error);
    throw new MeshError('MESH_LAB_TEMPLATE', message, { operation: 'make a template', cause: error });
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

/** Boots a machine until it waits for its cards, and saves it. */
async function make(spec: TemplateSpec, own: string, draft: string, setting: TemplateSetting): Promise<void> {
  const emulator = switchOnIn(setting.netns, own, {
    ...templateMachine(spec, { consoleLog: consoleLog(own), pidFile: join(own, 'pid') }),
    memoryFile: { path: memoryIn(draft), written: true },
    ...tellWords(own, []),
  });
  try {
    await untilWaiting(own, emulator, setting.signal);
    const monitor = await vmMonitor(own, emulator);
    await monitor.execute('stop');
    await saveState(monitor, own, stateIn(draft));
    await monitor.execute('quit').catch(() => undefined);
    monitor.close();
  } finally {
    signalProcess(emulator, 'SIGKILL');
    await awaitEnd([emulator], END_WITHIN_MS);
  }
}

async function untilWaiting(own: string, emulator: ProcessMark, signal?: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + WITHIN_MS;
  for (;;) {
    signal?.throwIfAborted();
    const said = consoleText(consoleLog(own));
    if (said.includes(WAITING_SIGN)) return;
    const isOver = !isRunning(emulator);
    if (isOver || isHopeless(said) || performance.now() > giveUpAt) {
      const words = cleanConsole(isOver ? consoleText(emulatorLog(own)) : said);
      const last = words.split('\n').at(-1) ?? '';
      const how = isOver ? 'its emulator has ended' : 'it does not boot';
      throw new MeshError('MESH_LAB_TEMPLATE', `there is no template: ${how}${last === '' ? '' : `: ${last}`}`);
    }
    await sleep(LOOK_MS);
  }
}
