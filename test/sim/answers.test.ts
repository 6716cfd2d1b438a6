/** What the processes of a cluster answer has the form by which a client reads it. */
import { expect, test } from 'vitest';
import type { Agent } from '../../src/agent/agent.ts';
import { AgentConditions } from '../../src/agent/view/agent-conditions.ts';
import { driftView, explainView, networkViews, planView, statusView } from '../../src/agent/view/agent-view.ts';
import { meshDocument } from '../../src/protocol/documents/mesh-document.ts';
import { AGENT_ROUTES } from '../../src/protocol/routes/agent-routes.ts';
import { CONTROL_ROUTES } from '../../src/protocol/routes/control-routes.ts';
import { readDocument } from '../../src/protocol/shapes/document.ts';
import type { Shape } from '../../src/protocol/shapes/form.ts';
import { MeshEventShape } from '../../src/protocol/shapes/view-shapes.ts';
import { randomFrom } from '../kit/random.ts';
import { Cluster } from './cluster.ts';

/** What a client makes of the answer must be the answer. */
function isRead(shape: Shape<unknown>, answer: unknown): void {
  const text = JSON.stringify(answer);
  expect(readDocument(shape, text)).toEqual({ document: JSON.parse(text) });
}

const formOf = ({ answer }: { readonly answer: { readonly form: Shape<unknown> } }) => answer.form;

async function agentAnswers(agent: Agent): Promise<void> {
  isRead(formOf(AGENT_ROUTES['GET /v1/status']), statusView(agent, 7));
  isRead(formOf(AGENT_ROUTES['GET /v1/networks']), networkViews(agent));
  isRead(formOf(AGENT_ROUTES['GET /v1/plan']), await planView(agent));
  isRead(formOf(AGENT_ROUTES['GET /v1/drift']), await driftView(agent));
  isRead(formOf(AGENT_ROUTES['GET /v1/ports']), agent.ports.list());
  for (const { network } of networkViews(agent)) {
    for (const object of [network.name, network.bridge.name, network.type.device])
      isRead(formOf(AGENT_ROUTES['GET /v1/explain']), await explainView(agent, object));
  }
  for (const event of agent.input.journal.recent()) isRead(MeshEventShape, event);
  for (const condition of new AgentConditions(agent).read())
    isRead(MeshEventShape, agent.input.journal.condition(condition.is));
}

test('every answer of a cluster with two segments and two meshes is read as it is, also with faults', async () => {
  const cluster = new Cluster({ random: randomFrom(1), agents: 4, segments: 2, networks: 2, trace: false });
  cluster.start();
  await cluster.clock.run(5_000);
  const [node] = cluster.nodes;
  node?.kernel.perform({ do: 'link-delete', link: 'vxlan456' });
  const { daemon } = cluster;
  if (daemon === undefined) throw new TypeError('a cluster without host0');
  const { controller } = daemon;
  isRead(formOf(CONTROL_ROUTES['GET /v1/status']), controller.status());
  isRead(formOf(CONTROL_ROUTES['GET /v1/nodes']), controller.nodes());
  const networks = controller.networks().map((view) => ({ ...view, network: meshDocument(view.network) }));
  isRead(formOf(CONTROL_ROUTES['GET /v1/networks']), networks);
  const answers = cluster.machines.map(async ({ process }) => {
    if (process !== undefined) await agentAnswers(process.agent);
  });
  await cluster.clock.run(10_000);
  await Promise.all(answers);
});
