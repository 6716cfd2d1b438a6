/** The error for pairs of a lab that do not answer: which pairs, and the last lines of their hosts' logs. */
import { MeshError } from '../../model/error.ts';
import { findProcess, logTail, programsOf } from '../hosts/host-process.ts';
import type { LabHost } from '../hosts/lab-host.ts';
import { consoleTail } from '../hosts/machine.ts';
import type { Pair } from './pairs.ts';

/** How much a failure shows. */
const PAIRS_SHOWN = 10;
const LOGS_SHOWN = 3;
const LOG_LINES_SHOWN = 5;

/** MESH_LAB_FAILED with the first ten silent pairs; its cause has the last lines of the first three hosts among them. */
export function silenceError(hosts: readonly LabHost[], silent: readonly Pair[]): MeshError {
  const names = silent.slice(0, PAIRS_SHOWN).map(({ from, to }) => `${from.name} → ${to.name}`);
  const more = silent.length > PAIRS_SHOWN ? ` and ${silent.length - PAIRS_SHOWN} more` : '';
  const suspects = new Set(silent.flatMap(({ from, to }) => [from.name, to.name]));
  const shown = hosts.filter(({ name }) => suspects.has(name)).slice(0, LOGS_SHOWN);
  return new MeshError('MESH_LAB_FAILED', `no answer: ${names.join(', ')}${more}`, {
    operation: 'wait until every pair answers',
    remedy: 'Keep the lab with --keep, and look at the hosts with `mesh lab exec HOST -- mesh status`.',
    cause: new LastWords(shown),
  });
}

/** The last lines that the processes of `hosts` wrote, as the cause of another error. */
export class LastWords extends Error {
  constructor(hosts: readonly LabHost[]) {
    super(hosts.flatMap(lastWords).join('\n'));
    this.name = 'LastWords';
  }
}

function lastWords(host: LabHost): string[] {
  if (host.emulated !== undefined) {
    const lines = consoleTail(host.root, LOG_LINES_SHOWN).map((line) => `  ${line}`);
    return [`${host.name}: the last lines of its console:`, ...lines];
  }
  return programsOf(host).flatMap((program) => {
    const state = findProcess(program, host.root) === undefined ? 'does not run' : 'runs';
    return [
      `${host.name}: ${program} ${state}; the last lines of its log:`,
      ...logTail(program, host.root, LOG_LINES_SHOWN).map((line) => `  ${line}`),
    ];
  });
}
