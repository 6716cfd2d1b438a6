/** The contract of every store: each implementation passes this suite. */
import { afterEach, describe, expect, test } from 'vitest';
import { MeshError } from '../../src/model/error.ts';
import type { Store, Watch, WatchBatch } from '../../src/store/store.ts';

/** Opens an empty store that keeps `historyRevisions` revisions for watches; the suite closes it. */
type OpenStore = (options: { historyRevisions: number }) => Promise<Store>;

/** Registers the suite with vitest, as `describe(name)`. */
export function storeContract(name: string, open: OpenStore): void {
  describe(name, () => {
    const opened: Store[] = [];
    /** The revision at which the store was opened: that of etcd is not 0. */
    let first = 0;
    const at = (...revisions: readonly number[]) => revisions.map((revision) => first + revision);
    afterEach(async () => {
      for (const store of opened.splice(0)) await store.close();
    });
    const openStore = async (historyRevisions = 10_000) => {
      const store = await open({ historyRevisions });
      opened.push(store);
      first = (await store.range('')).revision;
      return store;
    };
    const put = (store: Store, key: string, value: string) => store.txn([], [{ put: key, value }]);

    describe('entries', () => {
      test('an empty store has an epoch and no entries', async () => {
        const store = await openStore();
        expect(store.epoch).toMatch(/^[0-9a-f]{16}$/);
        expect(await store.range('')).toEqual({ entries: [], revision: first });
        expect(await store.get('a')).toBeUndefined();
      });

      test('an entry has the revisions that created and last changed it', async () => {
        const store = await openStore();
        await put(store, 'a', 'one');
        await put(store, 'b', 'two');
        await put(store, 'a', 'three');
        expect(await store.get('a')).toEqual({
          key: 'a',
          value: 'three',
          createRevision: first + 1,
          modRevision: first + 3,
        });

        await store.txn([], [{ delete: 'a' }]);
        expect(await store.get('a')).toBeUndefined();
        await put(store, 'a', 'four');
        expect(await store.get('a')).toEqual({
          key: 'a',
          value: 'four',
          createRevision: first + 5,
          modRevision: first + 5,
        });
      });

      test('a range is every entry below its prefix, in key order', async () => {
        const store = await openStore();
        for (const key of ['member/2', 'members', 'member/10', 'membe', 'member/', 'n', 'member0', 'a']) {
          await put(store, key, key);
        }
        await store.txn([], [{ delete: 'n' }]);
        const keysBelow = async (prefix: string) => (await store.range(prefix)).entries.map(({ key }) => key);
        expect(await keysBelow('member/')).toEqual(['member/', 'member/10', 'member/2']);
        expect(await keysBelow('member')).toEqual(['member/', 'member/10', 'member/2', 'member0', 'members']);
        expect(await keysBelow('')).toHaveLength(7);
        expect(await keysBelow('z')).toEqual([]);
        expect((await store.range('z')).revision).toBe(first + 9);
      });

      test('any text is a value', async () => {
        const store = await openStore();
        const value = `"quotes' \0 \n ä ${'x'.repeat(100_000)}`;
        await put(store, 'a', value);
        expect((await store.get('a'))?.value).toBe(value);
      });
    });

    describe('txn', () => {
      test('applies `then` when every comparison holds, else `otherwise`', async () => {
        const store = await openStore();
        await put(store, 'a', '1');
        const compare = [
          { key: 'a', modRevision: first + 1 },
          { key: 'b', modRevision: 0 },
        ];
        const swap = () => store.txn(compare, [{ put: 'b', value: 'then' }], [{ put: 'c', value: 'otherwise' }]);
        expect(await swap()).toEqual({ succeeded: true, revision: first + 2 });
        expect(await swap()).toEqual({ succeeded: false, revision: first + 3 });
        expect((await store.range('')).entries.map(({ key, value }) => `${key}=${value}`)).toEqual([
          'a=1',
          'b=then',
          'c=otherwise',
        ]);
      });

      test('a deleted key compares as absent', async () => {
        const store = await openStore();
        await put(store, 'a', '1');
        await store.txn([], [{ delete: 'a' }]);
        expect((await store.txn([{ key: 'a', modRevision: first + 1 }], [])).succeeded).toBe(false);
        expect((await store.txn([{ key: 'a', modRevision: 0 }], [])).succeeded).toBe(true);
      });

      test('all changes carry one revision', async () => {
        const store = await openStore();
        await put(store, 'old', '1');
        const result = await store.txn([], [{ put: 'b', value: '' }, { delete: 'old' }, { put: 'a', value: '' }]);
        expect(result.revision).toBe(first + 2);
        expect((await store.range('')).entries.map(({ modRevision }) => modRevision)).toEqual(at(2, 2));
      });

      test('transactions are carried out in the order in which they are asked for', async () => {
        const store = await openStore();
        const results = await Promise.all(Array.from({ length: 50 }, (_, index) => put(store, 'a', String(index))));
        expect(results.map(({ revision }) => revision)).toEqual(results.map((_, index) => first + index + 1));
        expect((await store.get('a'))?.value).toBe('49');
      });

      test('a transaction that changes nothing gets no revision', async () => {
        const store = await openStore();
        await put(store, 'a', '1');
        expect(await store.txn([{ key: 'a', modRevision: first + 9 }], [{ put: 'a', value: '2' }])).toEqual({
          succeeded: false,
          revision: first + 1,
        });
        expect(await store.txn([], [{ delete: 'absent' }])).toEqual({ succeeded: true, revision: first + 1 });
        expect(await store.txn([], [])).toEqual({ succeeded: true, revision: first + 1 });
        expect((await store.range('')).revision).toBe(first + 1);
      });

      test('two changes of one key are refused, and nothing changes', async () => {
        const store = await openStore();
        const double = store.txn([], [{ put: 'a', value: '1' }, { delete: 'a' }]);
        await expect(double).rejects.toBeInstanceOf(MeshError);
        expect((await store.range('')).revision).toBe(first);
      });

      test('one hundred writers that compare and set lose no increment', async () => {
        const store = await openStore();
        let attempts = 0;
        const increment = async (): Promise<void> => {
          attempts++;
          const now = await store.get('n');
          const value = String(Number(now?.value ?? 0) + 1);
          const { succeeded } = await store.txn(
            [{ key: 'n', modRevision: now?.modRevision ?? 0 }],
            [{ put: 'n', value }],
          );
          if (!succeeded) await increment();
        };
        await Promise.all(Array.from({ length: 100 }, increment));
        expect((await store.get('n'))?.value).toBe('100');
        expect((await store.range('')).revision).toBe(first + 100);
        expect(attempts).toBeGreaterThan(100);
      });
    });

    describe('watch', () => {
      /** Watches until `revision` was delivered, and returns all batches. */
      const seen = (store: Store, prefix: string, from: number, revision: number) =>
        new Promise<WatchBatch[]>((resolve, reject) => {
          const batches: WatchBatch[] = [];
          const watch: Watch = store.watch(
            prefix,
            first + from,
            (batch) => {
              batches.push(batch);
              if (batch.revision < first + revision) return;
              watch.close();
              resolve(batches);
            },
            reject,
          );
        });
      const throwIt = (error: Error) => {
        throw error;
      };
      const revisionsOf = (batches: readonly WatchBatch[]) => batches.map(({ revision }) => revision - first);

      test('delivers past and then new changes, in order and each once', async () => {
        const store = await openStore();
        for (let i = 1; i <= 20; i++) await put(store, `a/${i}`, '');
        const watches = [1, 5, 20, 21, 30].map((from) => seen(store, '', from, 60));
        const writes = Array.from({ length: 40 }, (_, i) => put(store, `b/${i}`, ''));
        // Watches begin between writes, too: this is where a gap or a double would occur.
        for (const write of writes) watches.push(seen(store, '', (await write).revision - first - 3, 60));
        for (const batches of await Promise.all(watches)) {
          const [begin = 0] = revisionsOf(batches);
          expect(revisionsOf(batches)).toEqual(Array.from({ length: 61 - begin }, (_, i) => begin + i));
        }
      });

      test('delivers the changes of a revision together, in the order in which they were written', async () => {
        const store = await openStore();
        await put(store, 'old', '1');
        await store.txn([], [{ put: 'b', value: 'x' }, { delete: 'old' }, { put: 'a', value: 'y' }]);
        expect(await seen(store, '', 2, 2)).toEqual([
          {
            revision: first + 2,
            changes: [
              { put: { key: 'b', value: 'x', createRevision: first + 2, modRevision: first + 2 } },
              { delete: 'old' },
              { put: { key: 'a', value: 'y', createRevision: first + 2, modRevision: first + 2 } },
            ],
          },
        ]);
      });

      test('delivers only changes below its prefix', async () => {
        const store = await openStore();
        await put(store, 'a/1', '');
        await put(store, 'b/1', '');
        await store.txn(
          [],
          [
            { put: 'a/2', value: '' },
            { put: 'ab', value: '' },
          ],
        );
        await store.txn([], [{ delete: 'a/1' }, { delete: 'b/1' }]);
        const batches = await seen(store, 'a/', 1, 4);
        expect(revisionsOf(batches)).toEqual([1, 3, 4]);
        expect(batches.map(({ changes }) => changes.length)).toEqual([1, 1, 1]);
      });

      test('delivers nothing before its first revision, also when that is in the future', async () => {
        const store = await openStore();
        const batches = seen(store, '', 3, 4);
        for (let i = 1; i <= 4; i++) await put(store, 'a', String(i));
        expect(revisionsOf(await batches)).toEqual([3, 4]);
      });

      test('delivers nothing after it was closed', async () => {
        const store = await openStore();
        const delivered: WatchBatch[] = [];
        const watch = store.watch('', first + 1, (batch) => delivered.push(batch), throwIt);
        const other = seen(store, '', 1, 2);
        watch.close();
        await put(store, 'a', '1');
        await put(store, 'a', '2');
        await other;
        expect(delivered).toEqual([]);
      });

      test('a range and the changes after it give the present state', async () => {
        const store = await openStore();
        await put(store, 'a', '1');
        const { entries, revision } = await store.range('');
        const copy = new Map(entries.map(({ key, value }) => [key, value]));
        await store.txn([], [{ put: 'b', value: '2' }, { delete: 'a' }]);
        for (const { changes } of await seen(store, '', revision + 1 - first, 2)) {
          for (const change of changes) {
            if ('put' in change) copy.set(change.put.key, change.put.value);
            else copy.delete(change.delete);
          }
        }
        expect([...copy]).toEqual([['b', '2']]);
      });

      test('compacted history is an error, and the newest part is still there', async () => {
        const store = await openStore(10);
        for (let i = 1; i <= 50; i++) await put(store, 'a', String(i));
        await expect(seen(store, '', 1, 50)).rejects.toMatchObject({ code: 'MESH_STORE_COMPACTED' });
        expect(revisionsOf(await seen(store, '', 41, 50))).toEqual([41, 42, 43, 44, 45, 46, 47, 48, 49, 50]);
      });
    });

    test('close finishes transactions under way, and refuses later ones', async () => {
      const store = await openStore();
      const writes = Promise.all(Array.from({ length: 10 }, (_, i) => put(store, `a/${i}`, '')));
      await store.close();
      expect((await writes).map(({ revision }) => revision).sort((a, b) => a - b)).toEqual(
        at(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
      );
      await expect(put(store, 'a', '1')).rejects.toMatchObject({ code: 'MESH_STORE_BROKEN' });
      await expect(store.get('a')).rejects.toMatchObject({ code: 'MESH_STORE_BROKEN' });
    });
  });
}
