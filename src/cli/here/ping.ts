/** `mesh ping NETWORK NODE`: whether a member answers, over which path, how fast, and up to which packet size. */
import { Command, Option } from 'commander';
import { vtepOfHolder } from '../../model/network/member.ts';
import { agentClient } from '../../protocol/calls/control-client.ts';
import type { PingRequest, PingResult } from '../../protocol/documents/views.ts';
import type { Context } from '../context.ts';
import { wholeNumber } from '../print/number-option.ts';
import { withProgress } from '../print/progress.ts';
import { properties } from '../print/properties.ts';
import { askHere } from './held-elsewhere.ts';

const INTERVAL_MS = 200;
/** Added to the time of the pings: the deadline of the last one, and the search for the largest packet. */
const MARGIN_MS = 20_000;

export function pingCommand(context: Context): Command {
  return new Command('ping')
    .argument('<network>', 'the name of a network of this machine')
    .argument('<node>', 'the name of one of its members')
    .addOption(new Option('-c, --count <n>', 'how many packets').default(5).argParser(wholeNumber(1, 10_000)))
    .addHelpText(
      'after',
      '\nExit code 0 when answers came and the MTU was proved, else 1.\n\nExample:\n  $ mesh ping manage node3 -c 10',
    )
    .action(async (network: string, node: string, { count }: { count: number }) => {
      const request: PingRequest = { network, node, count, intervalMs: INTERVAL_MS };
      const result = await withProgress(
        context.stderr,
        `Pinging ${node} in ${network}`,
        askHere(context, network, `mesh ping ${network} ${node}`, () =>
          agentClient(context.paths).ask('POST /v1/ping', {
            body: request,
            timeoutMs: count * INTERVAL_MS + MARGIN_MS,
          }),
        ),
      );
      if (result.received === 0 || !provedMtu(result)) context.exitCode = 1;
      context.answer(result, () => pingText(result, context));
    });
}

function provedMtu({ mtu }: PingResult): boolean {
  return mtu.provedBytes >= mtu.promisedBytes;
}

function pingText(result: PingResult, { paint }: Context): string {
  const { network, from, to, path, sent, received, mtu } = result;
  const lost = sent - received;
  const loss = `${sent === 0 ? 0 : Math.round((lost / sent) * 100)} % (${received} of ${sent} came back)`;
  const proved = provedMtu(result)
    ? `${mtu.provedBytes} bytes, proved end to end`
    : `only ${mtu.provedBytes} of ${mtu.promisedBytes} bytes came through: check the MTU of the underlay`;
  return properties(
    [
      ['network', network],
      ['from', `${from.name}  ${from.ipv6}`],
      ['to', `${to.name}  ${to.ipv6}`],
      ['path', path.join(' → ')],
      ['vtep', `${vtepOfHolder(from)} → ${vtepOfHolder(to)}`],
      ['loss', loss],
      ['rtt', rttText(result.rttMs)],
      ['mtu', received === 0 ? undefined : proved],
    ],
    paint,
  );
}

function rttText(rttMs: readonly number[]): string | undefined {
  if (rttMs.length === 0) return undefined;
  const mean = rttMs.reduce((sum, each) => sum + each, 0) / rttMs.length;
  const [min, avg, max] = [Math.min(...rttMs), mean, Math.max(...rttMs)].map((ms) => ms.toFixed(2));
  return `${min} / ${avg} / ${max} ms (min / avg / max)`;
}
