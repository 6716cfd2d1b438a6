/** The report of `mesh lab up` for people: the member list, the round trip of every pair, and the throughput. */

import type { Pair } from '../../lab/checks/pairs.ts';
import type { Examination } from '../../lab/cluster/examination.ts';
import { EXAMPLE_MESH } from '../../lab/hosts/example-mesh.ts';
import { MEMBERSHIP_PORT } from '../../protocol/documents/tcp-ports.ts';
import { inOrder } from '../print/member-order.ts';
import { type Column, type Page, table } from '../print/table.ts';

/** With more hosts the table of pairs does not fit a terminal, and only the summary is printed. */
const TABLE_HOSTS_MAX = 12;
const SILENT_SHOWN = 20;

/** @param tookMs the time of the whole command */
export function labReportText({ memberList, pairs, throughput }: Examination, tookMs: number, page: Page): string {
  const names = [...new Set(pairs.map(({ from }) => from.name))];
  const parts: string[] = [];
  if (memberList !== undefined) {
    const host0 = pairs.find(({ to }) => to.role === 'host0')?.to.member.ipv6;
    parts.push(
      `Members, as http://[${host0}]:${MEMBERSHIP_PORT}/ lists them to ${memberList.from.name}:\n${sorted(memberList.text)}`,
    );
  }
  const title = `Round trips over ${EXAMPLE_MESH.bridge.name} in ms, from the row to the column:\n`;
  if (names.length <= TABLE_HOSTS_MAX) parts.push(title + pairTable(names, pairs, page));
  const carried =
    throughput && `${throughput.from.name} → ${throughput.to.name} carries ${throughput.gbps} Gbit/s over the mesh.\n`;
  parts.push(`${pairSummary(pairs)}${carried ?? ''}In all ${(tookMs / 1000).toFixed(1)} s.\n`);
  return parts.join('\n');
}

/** The member list in the order in which people look for names; host0 stays first. */
function sorted(memberList: string): string {
  const lines = memberList.trimEnd().split('\n');
  const named = lines.map((line) => ({ name: line.split(' ', 1)[0] ?? '', line }));
  return inOrder(named)
    .map(({ line }) => `${line}\n`)
    .join('');
}

function pairTable(names: readonly string[], pairs: readonly Pair[], page: Page): string {
  const rtts = new Map(pairs.map(({ from, to, rttMs }) => [`${from.name} ${to.name}`, rttMs]));
  const cell = (from: string, to: string) => (from === to ? '.' : (rtts.get(`${from} ${to}`)?.toFixed(2) ?? '-'));
  const columns: Column<string>[] = names.map((to) => ({
    title: to,
    align: 'right',
    text: (from) => cell(from, to),
    tone: (from) => (cell(from, to) === '-' ? 'bad' : undefined),
  }));
  return table(names, [{ title: '', text: (name) => name }, ...columns], page);
}

function pairSummary(pairs: readonly Pair[]): string {
  const rtts = pairs.flatMap(({ rttMs }) => rttMs ?? []).sort((a, b) => a - b);
  const at = (share: number) => rtts[Math.min(rtts.length - 1, Math.floor(share * rtts.length))]?.toFixed(2) ?? '-';
  const silent = pairs.filter(({ rttMs }) => rttMs === undefined).map(({ from, to }) => `${from.name} → ${to.name}`);
  const shown = silent.slice(0, SILENT_SHOWN).map((pair) => `  no answer: ${pair}\n`);
  const more = silent.length > SILENT_SHOWN ? `  and ${silent.length - SILENT_SHOWN} more\n` : '';
  return (
    `${rtts.length} of ${pairs.length} pairs answer: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms.\n` +
    `${shown.join('')}${more}`
  );
}
