/** `mesh trace NETWORK FROM TO`: the path of a packet, hop by hop, and where a kernel differs from what is wanted. */
import { Command } from 'commander';
import { agentClient } from '../../protocol/calls/control-client.ts';
import type { TraceEnd, TraceHop, TraceRequest, TraceView } from '../../protocol/documents/trace.ts';
import type { Context } from '../context.ts';
import type { Tone } from '../print/color.ts';
import { printable } from '../print/printable.ts';
import { withProgress } from '../print/progress.ts';
import { askHere } from './held-elsewhere.ts';

/** Up to three agents are asked, and each may take four seconds before it counts as silent. */
const TIMEOUT_MS = 30_000;

export function traceCommand(context: Context): Command {
  return new Command('trace')
    .argument('<network>', 'the name of a network of this machine')
    .argument('<from>', 'who sends: a member by its name, machine id or address, or the address of a guest')
    .argument('<to>', 'who receives')
    .addHelpText(
      'after',
      '\nExit code 0 when every hop is as wanted, else 1.\n\nExamples:\n  $ mesh trace manage node1 node3\n  $ mesh trace manage host0 02:2f:55:d5:07:f4 --json',
    )
    .action(async (network: string, from: string, to: string) => {
      const request: TraceRequest = { network, from, to };
      const view = await withProgress(
        context.stderr,
        `Tracing ${from} to ${to} in ${network}`,
        askHere(context, network, `mesh trace ${network} ${from} ${to}`, () =>
          agentClient(context.paths).ask('POST /v1/trace', { body: request, timeoutMs: TIMEOUT_MS }),
        ),
      );
      if (!isWell(view)) context.exitCode = 1;
      context.answer(view, () => traceText(view, context));
    });
}

function isWell({ forth, back }: TraceView): boolean {
  return [...forth, ...back].every(({ state }) => state === 'ok');
}

const MARKS: Record<TraceHop['state'], { readonly mark: string; readonly tone: Tone }> = {
  ok: { mark: '✓', tone: 'good' },
  differs: { mark: '✗', tone: 'bad' },
  unknown: { mark: '?', tone: 'warning' },
};

function traceText(view: TraceView, context: Context): string {
  const { paint } = context;
  const { network, from, to, forth, back } = view;
  const hops = [...forth, ...back];
  const widths = {
    node: Math.max(...hops.map(({ node }) => node.length)),
    subject: Math.max(...hops.map(({ subject }) => subject.length)),
  };
  const lines = (list: readonly TraceHop[]): string => list.map((hop) => hopText(hop, widths, context)).join('');
  const wrong = back.filter(({ state }) => state !== 'ok');
  if (hops.length === 0) return `${paint('heading', endText(from))} is both ends: there are no hops between them.\n`;
  const backText =
    wrong.length === 0
      ? `${paint('good', '✓')} the way back: ${back.length === 1 ? '1 hop' : `${back.length} hops`} as wanted\n`
      : `\n${paint('heading', 'The way back')}, where it is not as wanted\n${lines(wrong)}`;
  const verdict = isWell(view)
    ? `\nEvery hop is as wanted. If packets are lost all the same: \`mesh ping ${network} ${to.member}\` and \`mesh doctor\`.\n`
    : '';
  return `${paint('heading', `${endText(from)} → ${endText(to)}`)} in ${printable(network)}\n${lines(forth)}${backText}${verdict}`;
}

function endText({ member, guest, mac, ipv6 }: TraceEnd): string {
  return printable(guest ? `${ipv6 ?? mac} on ${member}` : `${member} (${ipv6})`);
}

function hopText(
  { node, subject, state, held, wanted, remedy }: TraceHop,
  widths: { readonly node: number; readonly subject: number },
  { paint }: Context,
): string {
  const { mark, tone } = MARKS[state];
  const indent = ' '.repeat(widths.node + widths.subject + 6);
  const detail = [
    ...(wanted === undefined ? [] : [`wanted: ${wanted}`]),
    ...(remedy === undefined ? [] : [`→ ${remedy}`]),
  ];
  const line = `${paint(tone, mark)} ${printable(node).padEnd(widths.node)}  ${subject.padEnd(widths.subject)}  ${printable(held)}\n`;
  return line + detail.map((text) => `${indent}${printable(text)}\n`).join('');
}
