import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { MeshError } from '../../model/error.ts';
import { consoleSession } from './console-session.ts';

/** A session with a console that answers slowly, as one on a far node. */
function session({ hasEscape = true, types = true, refuses = false } = {}) {
  const [output, keyboard] = [new PassThrough(), new PassThrough()];
  const sent: string[] = [];
  let atOnce = 0;
  let shown = '';
  const stop = new AbortController();
  const ask = async (_: string, { body }: { readonly body: { readonly base64: string } }) => {
    expect(++atOnce).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    atOnce--;
    if (refuses) throw new MeshError('MESH_CONSOLE_CLOSED', 'it does not read');
    sent.push(Buffer.from(body.base64, 'base64').toString());
    return {};
  };
  const end = consoleSession({
    client: { ask: ask as never },
    path: { node: 'node1', workload: 'web' },
    output,
    terminal: {
      write: (chunk) => {
        shown += chunk.toString();
      },
    },
    keyboard,
    hasEscape,
    types,
    signal: stop.signal,
  });
  return { output, keyboard, sent, end, stop, shown: () => shown };
}

test('keys go to the guest in their order, and Ctrl-] leaves', async () => {
  const { output, keyboard, sent, end, shown } = session();
  output.write('login: ');
  for (const key of 'root\r') keyboard.write(key);
  keyboard.write(`ls\r\x1dnot for the guest`);
  expect(await end).toBe('left');
  expect(sent.join('')).toBe('root\rls\r');
  expect(shown()).toBe('login: ');
  expect(output.destroyed).toBe(true);
});

test('what comes from a file is sent whole, in pieces that fit', async () => {
  const { keyboard, sent, end, stop } = session({ hasEscape: false });
  const text = `\x1d${'0123456789'.repeat(2_000)}`;
  keyboard.end(text);
  await expect.poll(() => sent.join('').length).toBe(text.length);
  stop.abort();
  expect(await end).toBe('interrupted');
  expect(sent.join('')).toBe(text);
  expect(Math.max(...sent.map(({ length }) => length))).toBeLessThanOrEqual(4_096);
});

test('one who only looks can leave, and types nothing', async () => {
  const { keyboard, sent, end } = session({ types: false });
  keyboard.write('rm -rf /\r');
  keyboard.write('\x1d');
  expect(await end).toBe('left');
  expect(sent).toEqual([]);
});

test('a console that goes away ends the session, and so does a guest that takes no keys', async () => {
  const gone = session();
  gone.output.end();
  gone.output.destroy();
  expect(await gone.end).toBe('closed');
  const deaf = session({ refuses: true });
  deaf.keyboard.write('x');
  await expect(deaf.end).rejects.toMatchObject({ code: 'MESH_CONSOLE_CLOSED' });
});
