/** Copies of volumes between the nodes of host0's channels, one after the other: each takes all that the network and a disk give. */
import type { DiskCopies } from '../../controller/workloads/workload-moves.ts';
import type { Clock } from '../../model/clock.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { CopyName } from '../../protocol/documents/workload/volume-copy.ts';
import type { AskedNode } from './assignment-push.ts';
import type { Channels } from './channels.ts';
import { copyVolumes, dropCopy } from './volume-copy.ts';

/** Who is asked. */
export interface NodeCopiesInput {
  readonly channels: Pick<Channels, 'connectionOf'>;
  /** host0's own agent. */
  readonly ownNode: Pick<AskedNode, 'node'>;
  readonly clock: Clock;
}

/** Copies. */
export class NodeCopies implements DiskCopies {
  readonly #input: NodeCopiesInput;
  #last: Promise<unknown> = Promise.resolve();

  constructor(input: NodeCopiesInput) {
    this.#input = input;
  }

  copy(
    name: CopyName,
    { from, to }: { readonly from: MachineWord; readonly to: MachineWord },
    { onProgress, signal }: { readonly onProgress: (percent: number) => void; readonly signal: AbortSignal },
  ): Promise<void> {
    const turn = this.#last.then(async () => {
      signal.throwIfAborted();
      await copyVolumes({
        name,
        signal,
        from: this.#nodeOf(from),
        to: this.#nodeOf(to),
        clock: this.#input.clock,
        onProgress: ({ doneBytes, totalBytes }) =>
          onProgress(totalBytes === 0 ? 100 : Math.floor((doneBytes / totalBytes) * 100)),
      });
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async drop(name: CopyName, at: MachineWord): Promise<void> {
    await dropCopy(this.#nodeOf(at), name);
  }

  /** @throws MESH_CHANNEL_DOWN */
  #nodeOf(machine: MachineWord): AskedNode['node'] {
    return machine === 'host0' ? this.#input.ownNode.node : this.#input.channels.connectionOf(machine).node;
  }
}
