/** Waits until a workload is as a command wants it, and shows meanwhile what it waits for. */
import { MeshError } from '../../model/error.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { WorkloadAnswer, WorkloadView } from '../../protocol/documents/workload/workload-view.ts';
import type { Context } from '../context.ts';
import { printable } from '../print/printable.ts';
import { Stages } from '../print/stages.ts';
import { answerText, workloadStateText } from './workload-text.ts';

/** An image of some GB takes minutes, and so does the copy of a disk: as long as something changes, there is hope. */
const PATIENCE_MS = 30 * 60 * 1000;
/** What takes less than a second leaves no line. */
const SOON_MS = 1_000;

/**
 * Shows what a command does, and waits until the workload is as wanted.
 * @param doing what is waited for, as a verb phrase in -ing; undefined where nothing is
 * @throws the error of the workload when it failed, MESH_WORKLOAD_FAILED when its guest has ended or nothing changes for half an hour
 */
export async function answerAndWait(
  context: Context,
  answer: WorkloadAnswer,
  waiting: { readonly doing: string; readonly isDone: (view: WorkloadView) => boolean } | undefined,
): Promise<void> {
  const { workload, dryRun } = answer;
  if (waiting === undefined || dryRun || waiting.isDone(workload))
    return context.answer(answer, () => answerText(answer));
  if (!context.json) context.answer(answer, () => answerText(answer));
  const view = await follow(context, workload.name, waiting.doing, waiting.isDone);
  const done = { ...answer, workload: view };
  context.answer(done, () => printable(`${view.name} is ${workloadStateText(view)} on ${view.node}.`).concat('\n'));
}

async function follow(
  context: Context,
  name: string,
  doing: string,
  isDone: (view: WorkloadView) => boolean,
): Promise<WorkloadView> {
  using stages = new Stages(context.stderr, SOON_MS);
  stages.show(printable(`${doing} ${name}`));
  const patience = new AbortController();
  const lose = () => patience.abort(new Error(`nothing has changed for ${PATIENCE_MS / 60_000} minutes`));
  let alarm = setTimeout(lose, PATIENCE_MS);
  const request = { path: { name }, signal: patience.signal };
  try {
    for await (const view of host0Client(context.paths).events('GET /v1/workloads/{name}/follow', request)) {
      if (isDone(view)) {
        stages.end();
        return view;
      }
      if (view.state === 'failed' && view.error !== undefined) throw MeshError.fromJSON(view.error);
      if (isOver(view)) throw hasEnded(view, doing);
      stages.detail(printable(workloadStateText(view)));
      clearTimeout(alarm);
      alarm = setTimeout(lose, PATIENCE_MS);
    }
  } finally {
    clearTimeout(alarm);
  }
  throw new MeshError('MESH_WORKLOAD_FAILED', `${name} is not as wanted yet`, {
    object: name,
    remedy: `See \`mesh workload info -w ${name}\`.`,
  });
}

/** Nothing more happens by itself: the guest has ended, or another command has stopped the workload. */
function isOver({ state, wanted }: WorkloadView): boolean {
  return state === 'ended' || (state === 'stopped' && wanted === 'stopped');
}

function hasEnded({ name, state, why }: WorkloadView, doing: string): MeshError {
  const what = state === 'ended' ? `the guest of ${name} has ended` : `${name} was stopped by another command`;
  return new MeshError('MESH_WORKLOAD_FAILED', `${what}${why === undefined ? '' : `: ${why}`}`, {
    operation: `${doing.toLowerCase()} ${name}`,
    object: name,
    remedy: `See what it has said: \`mesh workload log -w ${name}\`. Start it again: \`mesh workload start -w ${name}\`.`,
  });
}
