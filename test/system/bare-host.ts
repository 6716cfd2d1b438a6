/** A machine without any of Meshwork's processes: a network namespace of its own, until the test disposes of it. */
import { type TemporaryNetns, temporaryNetns } from '../../src/kernel/netns.ts';
import { inside } from '../kit/namespaces.ts';

/** The namespace exists once this is constructed. Its only link is a loopback that is down. */
export class BareHost implements Disposable {
  readonly #namespace: TemporaryNetns = temporaryNetns();

  /** The path of its namespace. */
  get netns(): string {
    return this.#namespace.path;
  }

  /** @returns what the command printed @throws Error when it fails */
  run(...command: readonly string[]): string {
    return inside(this.netns, ...command);
  }

  [Symbol.dispose](): void {
    this.#namespace.close();
  }
}
