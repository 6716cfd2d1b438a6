/** The word that waits for what becomes of networks. */
import { MeshError } from '../../model/error.ts';
import { followLifecycle } from '../network/network-events.ts';
import { networkCalled } from './net-lookup.ts';
import { netSaid } from './net-text.ts';
import type { NetWord } from './net-word.ts';

const LIFECYCLE = 'lifecycle';

/** The table. */
export const EVENT_WORDS: readonly NetWord[] = [
  {
    words: ['net-event'],
    description: 'Wait for something to become of a network',
    args: [],
    options: [
      ['--event <kind>', 'lifecycle'],
      ['--network <network>', 'only of this one: its name or UUID'],
      ['--loop', 'until Ctrl-C, or until --timeout'],
      ['--timeout <seconds>', 'no longer than this'],
      ['--timestamp', 'the time before each'],
      ['--list', 'what can be waited for'],
    ],
    does: async (context, _, { event = LIFECYCLE, network, loop, timeout, timestamp, list }) => {
      if (list === true) return context.answer([LIFECYCLE], () => netSaid(LIFECYCLE));
      if (event !== LIFECYCLE) throw unknownEvent(String(event));
      const wanted = typeof network === 'string' ? (await networkCalled(context, network)).network.id : undefined;
      const signal = timeout === undefined ? undefined : AbortSignal.timeout(secondsIn(String(timeout)) * 1000);
      let received = 0;
      await followLifecycle(context, {
        ...(signal !== undefined && { signal }),
        // virsh knows no updates of networks.
        isWanted: (news) => news.kind !== 'updated' && (wanted === undefined || news.network === wanted),
        onNews: (news) => {
          received++;
          const title = `${news.kind.charAt(0).toUpperCase()}${news.kind.slice(1)}`;
          const time = timestamp === true ? `${news.time.replace('T', ' ').replace('Z', '+0000')}: ` : '';
          context.emit(news, () => `${time}event '${LIFECYCLE}' for network ${news.name}: ${title}\n`);
          return loop === true;
        },
      });
      if (!context.json)
        context.print(netSaid(received === 0 ? 'event loop timed out' : `events received: ${received}`));
      if (received === 0) context.exitCode = 1;
    },
  },
];

function secondsIn(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new MeshError('MESH_USAGE', `${JSON.stringify(text)} is not a number of seconds`, {
    remedy: 'Write `--timeout 10`',
  });
}

function unknownEvent(kind: string): MeshError {
  return new MeshError('MESH_USAGE', `${JSON.stringify(kind)} is not what becomes of networks`, {
    remedy: `Write \`--event ${LIFECYCLE}\``,
  });
}
