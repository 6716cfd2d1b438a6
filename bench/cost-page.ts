/** The text of docs/reference/cost-model.md: worked values of the cost model. Pure. */
import { type Capacity, capacityOf, MEASURED } from './capacity.ts';
import { type Shape, weightsOf } from './cost-model.ts';

const BOOT_SEC = 30;
const PASS_SEC = 0.005;

interface Row {
  readonly title: string;
  readonly value: (capacity: Capacity) => string;
}

const ROWS: readonly Row[] = [
  { title: 'memberships (node × network)', value: ({ memberships }) => count(memberships) },
  { title: 'boot: messages', value: ({ boot }) => count(boot.messages) },
  { title: 'boot: joins in one message', value: ({ boot }) => count(boot.joinsPerMessage) },
  { title: 'boot: contents, MB', value: ({ boot }) => count(boot.mb) },
  { title: 'boot: host0’s daemon, s of a core', value: ({ boot }) => count(boot.daemonCpuSec) },
  { title: 'boot: kernel operations on each machine', value: ({ boot }) => count(boot.operationsPerMachine) },
  { title: 'steady: messages per second', value: ({ steady }) => count(steady.messagesPerSec) },
  { title: 'steady: on host0’s link, Mbit/s', value: ({ steady }) => count(steady.linkMbitPerSec) },
  { title: 'steady: host0’s daemon, % of a core', value: ({ steady }) => count(steady.daemonCpuPercent) },
  { title: 'streams that host0 holds', value: ({ daemonSockets }) => count(daemonSockets) },
  { title: 'ended connections that host0’s kernel keeps', value: ({ timeWaits }) => count(timeWaits) },
  { title: 'host0’s daemon, MB more', value: ({ daemonMb }) => count(daemonMb) },
  { title: 'each agent, MB more', value: ({ agentMb }) => count(agentMb) },
  { title: 'entries in each kernel', value: ({ entriesPerMachine }) => count(entriesPerMachine) },
  { title: 'copies of each broadcast frame', value: ({ floodCopies }) => count(floodCopies) },
];

/** The whole page, in Markdown. */
export function costPage(): string {
  const weights = weightsOf({ nodes: 1_000 });
  return [
    '# Cost model: worked values',
    '',
    'Generated from `bench/cost-model.ts` and `bench/capacity.ts`; `vitest run test/cost-model.test.ts -u` writes it again.',
    '[Performance](../performance.md) explains the model, and says what to do when a limit is reached.',
    '',
    `All nodes start within ${BOOT_SEC} s. The figures are rounded to two significant digits; they are no more exact than that.`,
    '',
    '## One network',
    '',
    sizes([10, 100, 1_000, 10_000].map((nodes) => shape(nodes, 1))),
    '',
    '## A hundred nodes in many networks',
    '',
    sizes([1, 10, 100, 1_000].map((networks) => shape(100, networks))),
    '',
    '## Ten thousand nodes in many networks',
    '',
    sizes([1, 10, 100, 1_000].map((networks) => shape(10_000, networks))),
    '',
    '## The size and cost of each part',
    '',
    'Contents in bytes, in a cluster of a thousand nodes, as the product writes them:',
    '',
    markdown(
      ['report', 'answer', 'join', 'snapshot', 'each member in a snapshot'],
      [[weights.report, weights.answer, weights.join, weights.snapshot, weights.snapshotMember].map(String)],
    ),
    '',
    'Measured on host0:',
    '',
    markdown(
      ['part', 'cost'],
      [
        [
          'a report and its answer, on a connection of its own, and a comment on the stream',
          `${MEASURED.cpuUsPerReport} µs`,
        ],
        ['the same as frames, with all headers', `${MEASURED.frameBytesPerReport} bytes`],
        ['a write to a stream', `${MEASURED.cpuUsPerWrite} µs`],
        ['a membership in the memory of the daemon', `${MEASURED.daemonKbPerMembership} kB`],
        ['a member in the memory of an agent', `${MEASURED.agentKbPerMember} kB`],
      ],
    ),
    '',
  ].join('\n');
}

function shape(nodes: number, networks: number): Shape {
  return { nodes, networks, bootSec: BOOT_SEC, passSec: PASS_SEC };
}

function sizes(shapes: readonly Shape[]): string {
  const capacities = shapes.map(capacityOf);
  const titles = ['', ...shapes.map(({ nodes, networks }) => `${count(nodes)} × ${count(networks)}`)];
  return markdown(
    titles,
    ROWS.map(({ title, value }) => [title, ...capacities.map(value)]),
  );
}

function markdown(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(titles), line(titles.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

/** Two significant digits. */
function count(value: number): string {
  return new Intl.NumberFormat('en', { maximumSignificantDigits: 2 }).format(value);
}
