/** A picture of a lab as SVG: a bar for each net, a column for each machine, and a dot where a machine is in a net. Pure. */
import { HOST_NUMBER, vmIpv4 } from '../topologies/vm-address.ts';
import type { VmPlan } from '../topologies/vm-plan.ts';

/** What is drawn. */
export interface PicturedLab {
  readonly title: string;
  readonly nets: readonly { readonly net: number; readonly name: string; readonly host: boolean }[];
  readonly machines: readonly (Pick<VmPlan, 'number' | 'name' | 'role' | 'nets'> & { readonly runs: boolean })[];
}

const COLUMN = 96;
const ROW = 56;
const LEFT = 150;
const TOP = 110;
const FILLS = { node: '#e6f2e6', router: '#f9e6e6', tester: '#e6ecf9' } as const;
const NET_NAMES: Readonly<Record<number, string>> = { 0: 'internal', 1: 'cluster', 2: 'external' };

/** The picture, as a text that a browser shows. */
export function labPicture({ title, nets, machines }: PicturedLab): string {
  const width = LEFT + Math.max(1, machines.length) * COLUMN + 20;
  const height = TOP + nets.length * ROW + 20;
  const yOf = (net: number) => TOP + nets.findIndex((other) => other.net === net) * ROW + ROW / 2;
  const barWidth = width - LEFT + 10;
  const bars = nets.map(({ net, name, host }) => {
    const about = host ? [`net ${net}`, name, `this machine has ${vmIpv4(net, HOST_NUMBER)}`] : [`net ${net}`, name];
    const label = host ? [name, `.${HOST_NUMBER}`] : [name];
    return (
      `<g><title>${escapedText(about.join(', '))}</title>` +
      `<text x="10" y="${yOf(net) - 4}">${escapedText(NET_NAMES[net] ?? about[0] ?? '')}</text>` +
      `<text x="10" y="${yOf(net) + 12}" class="small">${escapedText(label.join(' '))}</text>` +
      `<rect x="${LEFT - 20}" y="${yOf(net) - 3}" width="${barWidth}" height="6" rx="3" fill="#667"/></g>`
    );
  });
  const columns = machines.map((machine, index) => {
    const x = LEFT + index * COLUMN + COLUMN / 2;
    const lowest = Math.max(...machine.nets.map(yOf));
    const state = machine.runs ? '' : ' stroke-dasharray="4 3"';
    return (
      `<g><title>${escapedText([machine.name, machine.role, ...addressesOf(machine)].join(', '))}</title>` +
      `<line x1="${x}" y1="88" x2="${x}" y2="${lowest}" stroke="#667" stroke-width="2"/>` +
      `<rect x="${x - 38}" y="48" width="76" height="40" rx="6" fill="${FILLS[machine.role]}" stroke="#334"${state}/>` +
      `<text x="${x}" y="66" text-anchor="middle">${escapedText(machine.name)}</text>` +
      `<text x="${x}" y="81" text-anchor="middle" class="small">${machine.role}</text>` +
      machine.nets.map((net) => `<circle cx="${x}" cy="${yOf(net)}" r="6" fill="#334"/>`).join('') +
      '</g>'
    );
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    '<style>text{font:14px sans-serif;fill:#223}.small{font-size:11px;fill:#556}.title{font-size:18px}</style>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="10" y="28" class="title">${escapedText(title)}</text>`,
    ...bars,
    ...columns,
    '</svg>',
    '',
  ].join('\n');
}

/** The one way in which text enters the picture. */
function escapedText(raw: string): string {
  return raw.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function addressesOf({ nets, number }: Pick<VmPlan, 'nets' | 'number'>): string[] {
  return nets.map((net) => vmIpv4(net, number));
}
