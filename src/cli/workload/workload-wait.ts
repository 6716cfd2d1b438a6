/** Waits until a workload is as a command wants it, and shows meanwhile what it waits for. */
import { MeshError } from '../../model/error.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { WorkloadAnswer, WorkloadView } from '../../protocol/documents/workload/workload-view.ts';
import type { Context } from '../context.ts';
import { printable } from '../print/printable.ts';
import { Stages } from '../print/stages.ts';
import { answerText, workloadStateText } from './workload-text.ts';

/** An image of some GB takes minutes. */
const PATIENCE_MS = 30 * 60 * 1000;
/** What takes less than a second leaves no line. */
const SOON_MS = 1_000;

/**
 * Shows what a command does, and waits until the workload is as wanted.
 * @param doing what is waited for, as a verb phrase in -ing; undefined where nothing is
 * @throws the error of the workload when it failed, MESH_WORKLOAD_FAILED when it takes longer than half an hour
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
  const request = { path: { name }, signal: AbortSignal.timeout(PATIENCE_MS) };
  for await (const view of host0Client(context.paths).events('GET /v1/workloads/{name}/follow', request)) {
    if (isDone(view)) {
      stages.end();
      return view;
    }
    if (view.state === 'failed' && view.error !== undefined) throw MeshError.fromJSON(view.error);
    stages.show(printable(`${doing} ${name}: ${workloadStateText(view)}`));
  }
  throw new MeshError('MESH_WORKLOAD_FAILED', `${name} is not as wanted yet`, {
    object: name,
    remedy: `See \`mesh workload info -w ${name}\`.`,
  });
}
