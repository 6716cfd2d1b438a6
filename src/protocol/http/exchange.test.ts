/** Long documents are sent whole, and do not stop the process while their text is made. */
import { expect, test } from 'vitest';
import { type HttpResponse, sendDocument } from './exchange.ts';

async function sent(document: unknown): Promise<string> {
  let answer = '';
  const send = (_status: number, _headers: unknown, text: string) => {
    answer = text;
  };
  const response = { send };
  await sendDocument(response as unknown as HttpResponse, 200, document);
  return answer;
}

test('a list of any length has the text that JSON has', async () => {
  for (const length of [0, 1, 500, 501, 1_234]) {
    const list = Array.from({ length }, (_, at) => (at % 3 === 0 ? undefined : { at, text: `a,]"${at}` }));
    expect(await sent(list)).toBe(JSON.stringify(list));
  }
  expect(await sent({ list: [1, 2] })).toBe('{"list":[1,2]}');
});

test('others have their turn while the text of a long list is made', async () => {
  let turns = 0;
  let isDone = false;
  const turn = () => {
    turns++;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  await sent(Array.from({ length: 5_000 }, (_, at) => at));
  isDone = true;
  expect(turns).toBeGreaterThanOrEqual(9);
});
