/** A node with a real kernel in a namespace, whose loop has the desired items of given networks. */
import { vi } from 'vitest';
import type { DesiredInput, NetworkAttachment, PortGuest } from '../../src/agent/desired/assignment.ts';
import { DesiredItems } from '../../src/agent/desired/desired.ts';
import { BorrowedSettings, toGiveBack } from '../../src/agent/kernel/borrowed-settings.ts';
import { LinkView } from '../../src/agent/kernel/link-view.ts';
import { SystemKernel } from '../../src/agent/kernel/system-kernel.ts';
import { plan, printStep } from '../../src/agent/loop/plan.ts';
import { Reconciler } from '../../src/agent/loop/reconciler.ts';
import { parseIpv4 } from '../../src/model/address/ipv4.ts';
import { systemClock } from '../../src/model/clock.ts';
import type { MachineId } from '../../src/model/machine.ts';
import type { NetworkId } from '../../src/model/network/number.ts';
import { Journal } from '../../src/protocol/journal/journal.ts';
import { nodeDocument } from './desired-input.ts';

/** A pass takes some milliseconds; the machine of the tests may be busy with others. */
const DEADLINE_MS = 30_000;

/** A node at `eth0` of its namespace. */
export class PlannedNode implements AsyncDisposable {
  readonly #desired = new DesiredItems();
  readonly #kernel: SystemKernel;
  readonly #reconciler: Reconciler;
  #attachments: readonly NetworkAttachment[] = [];
  #ports: DesiredInput['ports'] = [];
  #leads = false;
  #named: DesiredInput['guests'];

  private constructor(kernel: SystemKernel, settings: BorrowedSettings, machine: MachineId, ipv4: string) {
    const addresses = new LinkView(settings);
    this.#kernel = kernel;
    const local = parseIpv4(ipv4);
    const common = { onLink: true, segments: [], reachable: [] };
    const host0 = { role: 'node', ipv4: parseIpv4('10.9.0.254'), local, device: 'eth0', ...common } as const;
    this.#reconciler = new Reconciler({
      kernel,
      clock: systemClock,
      journal: new Journal(systemClock, 'agent', 'test'),
      desire: (cache) => {
        const [attachments, ports] = [this.#attachments, this.#ports];
        this.#desired.update({
          machine,
          routes: false,
          host0: this.#leads ? { ...host0, leads: { segments: [], nics: [] } } : host0,
          document: nodeDocument(attachments),
          ports,
          ...addresses.of(cache),
          ...(this.#named && { guests: this.#named }),
        });
        const { items } = this.#desired;
        return {
          items,
          changed: this.#desired.takeChanges(),
          mayDelete: () => true,
          recorded: () => toGiveBack(settings, items),
        };
      },
      onLastingFailure: () => undefined,
    });
  }

  /** @param ipv4 its address on `eth0` */
  static async open(netns: string, machine: MachineId, ipv4: string): Promise<PlannedNode> {
    const settings = new BorrowedSettings();
    const kernel = await SystemKernel.open(() => undefined, { netns, settings });
    const node = new PlannedNode(kernel, settings, machine, ipv4);
    await node.#reconciler.start();
    return node;
  }

  /**
   * Takes these networks, with these ports in the first of them, and resolves when nothing is left to do.
   * @param guests of the ports whose guests are known, by interface
   * @param deadlineMs rejects when something is left after this time
   */
  async take(
    attachments: readonly NetworkAttachment[],
    links: readonly string[] = [],
    guests: ReadonlyMap<string, PortGuest> = new Map(),
    deadlineMs = DEADLINE_MS,
  ): Promise<void> {
    this.#attachments = attachments;
    const network = attachments[0]?.network.id;
    const portOf = (link: string, of: NetworkId): DesiredInput['ports'][number] => {
      const guest = guests.get(link);
      return { link, network: of, plugged: true, unplugging: false, ...(guest && { guest }) };
    };
    this.#ports = network === undefined ? [] : links.map((link) => portOf(link, network));
    await this.#reconciler.wake();
    await this.settled(deadlineMs);
  }

  /** Tells the addresses of guests that rules name, and resolves when nothing is left to do. */
  async name(guests: NonNullable<DesiredInput['guests']>): Promise<void> {
    this.#named = guests;
    await this.#reconciler.wake();
    await this.settled();
  }

  /** Makes this node host0, or takes that away, and resolves when nothing is left to do. */
  async lead(leads: boolean): Promise<void> {
    this.#leads = leads;
    await this.#reconciler.wake();
    await this.settled();
  }

  /** The lines of a plan that makes everything from nothing. */
  get lines(): string[] {
    return plan(new Map(), this.#desired.items, { mayDelete: () => true }).map(printStep);
  }

  /** Resolves when a plan against a fresh dump is empty. */
  async settled(deadlineMs = DEADLINE_MS): Promise<void> {
    await vi.waitFor(
      async () => {
        const { steps } = await this.#reconciler.drift();
        if (steps.length > 0) throw new Error(steps.map(printStep).join('\n'));
      },
      { timeout: deadlineMs, interval: 50 },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reconciler.close();
    await this.#kernel.close();
  }
}
