/** Draws a scan: host0's NICs and the segments that they are on, as text and as SVG. Pure. */
import type { NicView, ScanView } from '../../protocol/documents/boot-views.ts';
import type { Paint } from './color.ts';
import { printable } from './printable.ts';

interface Segment {
  /** `segment 1` and so on; `nothing` for the NICs that are on no segment. */
  readonly title: string;
  readonly nics: readonly NicView[];
}

/** The groups in their order, then the NICs without a carrier. */
function segmentsOf({ groups, nics }: ScanView): Segment[] {
  const byName = new Map(nics.map((nic) => [nic.name, nic]));
  const segments = groups.map((group, index) => ({
    title: `segment ${index + 1}`,
    nics: group.flatMap((name) => byName.get(name) ?? []),
  }));
  const plugged = new Set(groups.flat());
  const dead = nics.filter(({ name }) => !plugged.has(name));
  return dead.length === 0 ? segments : [...segments, { title: 'nothing', nics: dead }];
}

function nicText({ name, bridge }: NicView): string {
  return printable(bridge === undefined ? name : `${name} (in ${bridge})`);
}

function addressText({ ipv4, up, carrier }: NicView): string {
  if (!up) return 'down';
  return carrier ? ipv4.join(', ') : 'no carrier';
}

/**
 * Draws with lines of text:
 *
 *     eth1  10.11.0.1/25  ─┬─ segment 1
 *     eth2                ─┘
 */
export function scanText(view: ScanView, paint: Paint): string {
  const segments = segmentsOf(view);
  if (segments.length === 0) return 'host0 has no NIC that machines could be connected to.\n';
  const all = segments.flatMap(({ nics }) => nics);
  const nameWidth = Math.max(...all.map((nic) => nicText(nic).length));
  const addressWidth = Math.max(...all.map((nic) => addressText(nic).length));
  return segments
    .map(({ title, nics }) =>
      nics
        .map((nic, index) => {
          const text = `${nicText(nic).padEnd(nameWidth)}  ${addressText(nic).padEnd(addressWidth)}`;
          const dead = title === 'nothing';
          const joint = dead ? '' : jointOf(index, nics.length);
          const label = index === 0 && !dead ? ` ${paint('heading', title)}` : '';
          return `${`${text}  ${joint}${label}`.trimEnd()}\n`;
        })
        .join(''),
    )
    .join('\n');
}

/** The box-drawing characters that join a NIC to its segment, by its position. */
function jointOf(index: number, count: number): string {
  if (count === 1) return '───';
  if (index === 0) return '─┬─';
  return index === count - 1 ? '─┘' : '─┤';
}

/** Lengths of the SVG in pixels. */
const ROW = 34;
const TOP = 56;
const NIC_X = 150;
const NIC_WIDTH = 300;
const SEGMENT_X = 560;
const SEGMENT_WIDTH = 110;
const WIDTH = 700;

/** Draws as an SVG that needs nothing else: no script, no fonts to load, colours for light and dark. */
export function scanSvg(view: ScanView): string {
  const segments = segmentsOf(view);
  const count = segments.reduce((sum, { nics }) => sum + nics.length, 0);
  const height = TOP + Math.max(1, count + segments.length - 1) * ROW + 12;
  const parts: string[] = [];
  let y = TOP;
  for (const { title, nics } of segments) {
    const first = y;
    for (const nic of nics) {
      parts.push(nicShape(nic, y, title !== 'nothing'));
      y += ROW;
    }
    if (title !== 'nothing') parts.push(segmentShape(title, first, y - ROW, nics.length));
    y += ROW / 2;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>NICs of host0 and the segments that they are on, ${escaped(view.time)}</title>`,
    '<style>text{font:13px system-ui,sans-serif;fill:#222}.quiet{fill:#777}rect{fill:#eef3f8;stroke:#456;rx:4}.segment{fill:#fff4d6;stroke:#a70}.dead{fill:#eee;stroke:#aaa;stroke-dasharray:4}path{stroke:#456;fill:none;stroke-width:2}' +
      '@media(prefers-color-scheme:dark){text{fill:#ddd}.quiet{fill:#999}rect{fill:#234;stroke:#9bd}.segment{fill:#431;stroke:#db6}.dead{fill:#222;stroke:#666}path{stroke:#9bd}}</style>',
    `<rect x="12" y="${TOP - 14}" width="90" height="${Math.max(ROW, height - TOP - 4)}"/>`,
    `<text x="57" y="${TOP + 6}" text-anchor="middle">host0</text>`,
    `<text x="12" y="24" class="quiet">${escaped(view.time)}, ${view.nics.length} NICs, ${view.groups.length} segments</text>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function nicShape(nic: NicView, y: number, alive: boolean): string {
  return [
    `<path d="M102 ${y}H${NIC_X}"/>`,
    `<rect x="${NIC_X}" y="${y - 13}" width="${NIC_WIDTH}" height="26"${alive ? '' : ' class="dead"'}/>`,
    `<text x="${NIC_X + 10}" y="${y + 5}">${escaped(nicText(nic))}</text>`,
    `<text x="${NIC_X + NIC_WIDTH - 10}" y="${y + 5}" text-anchor="end" class="quiet">${escaped(addressText(nic) || nic.mac)}</text>`,
  ].join('\n');
}

function segmentShape(title: string, first: number, last: number, count: number): string {
  const middle = (first + last) / 2;
  const lines = Array.from({ length: count }, (_, index) => {
    const y = first + index * ROW;
    return `M${NIC_X + NIC_WIDTH} ${y}H${SEGMENT_X - 40}V${middle}H${SEGMENT_X}`;
  });
  return [
    `<path d="${lines.join('')}"/>`,
    `<rect class="segment" x="${SEGMENT_X}" y="${middle - 15}" width="${SEGMENT_WIDTH}" height="30"/>`,
    `<text x="${SEGMENT_X + SEGMENT_WIDTH / 2}" y="${middle + 5}" text-anchor="middle">${escaped(title)}</text>`,
  ].join('\n');
}

function escaped(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
