/** The port commands of one machine: list, plug and unplug. */

import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import type { NetworkState } from '../../protocol/documents/membership.ts';
import type { AssignedPort, RefusedFrames } from '../../protocol/documents/node-assignment.ts';
import type { PortView } from '../../protocol/documents/views.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { LocalPort, PortState } from '../assignment/assigned-agent.ts';
import { NETWORK_NOT_GIVEN } from '../assignment/node-assignments.ts';
import type { Host0Stance } from '../desired/assignment.ts';
import { linkKey } from '../items/link.ts';
import { isNftName } from '../items/nft-text.ts';
import { portKey } from '../items/port.ts';
import type { Reconciler } from '../loop/reconciler.ts';
import type { ForeignPort, ForeignPorts, WishedPort } from './foreign-ports.ts';
import { GuestPorts, isTapPort, type TapPort } from './guest-ports.ts';
import { PortFitness, type Unfitness } from './port-fitness.ts';
import type { PortRefusals } from './port-refusals.ts';
import type { UnfitPorts } from './unfit-ports.ts';

interface PortCommandsInput {
  readonly clock: Clock;
  readonly ports: ForeignPorts;
  /** Writes the record of the ports to the disk. */
  readonly keepPorts: (ports: ForeignPorts) => Promise<void>;
  readonly journal: Journal;
  readonly reconciler: Pick<Reconciler, 'cache' | 'isReady' | 'failureOf' | 'passes' | 'wake'>;
  readonly refusals: Pick<PortRefusals, 'counts' | 'offendersOf'>;
  readonly unfit: Pick<UnfitPorts, 'forget' | 'reasonAgainst'>;
  readonly host0Stance: () => Host0Stance;
  /** The ports whose interfaces the agent makes. */
  readonly taps: () => readonly TapPort[];
  /** The networks of this node. */
  readonly networks: () => readonly Network[];
  /** Those of files. host0 changes nothing in them. */
  readonly fileNetworks: () => readonly Network[];
  readonly stateOf: (network: Network) => NetworkState;
  /** @throws MESH_NET_UNKNOWN */
  readonly networkCalled: (name: string) => Network;
}

/** Why a port waits that was plugged before. */
const NETWORK_NOT_HERE =
  'this node does not have the network now; `mesh network list` on host0 shows whether it is stopped or deleted';
/** A name that a network can have. */
const NETWORK_WORD = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
/** How long a command waits for host0 to give the network. The port is plugged later, too. */
const GIVEN_MS = 2_000;
/** How long a command waits for an agent that has just started. It starts within half a second, on a busy machine within a few. */
const START_MS = 10_000;

/**
 * Performs `mesh port list`, `plug` and `unplug`. A command records the wish and waits for the loop to fulfil it, so a
 * plan shows the step, and the loop tries a failed step again.
 */
export class PortCommands {
  readonly #input: PortCommandsInput;
  readonly #guests: GuestPorts;
  readonly #wishes = new Signal<void>();
  /** Emits when a port was plugged or unplugged by a command. host0 is told. */
  readonly wishes: Subscribable<void> = this.#wishes;
  /** Commands that wait for the end of a pass. */
  readonly #waiting = new Set<() => void>();
  #mayBeGiven = (): boolean => false;
  #isKnown: Promise<unknown> = Promise.resolve();
  /** The revision of the ports that is on disk. */
  #kept: number;
  #keeping: Promise<void> = Promise.resolve();
  /** The names of the networks of ports. A network that host0 has taken back keeps its name here until the agent ends. */
  readonly #names = new Map<NetworkId, string>();
  /** Whether the journal has an event about the record that cannot be written now. */
  #reported = false;

  constructor(input: PortCommandsInput) {
    this.#input = input;
    this.#guests = new GuestPorts({
      ...input,
      whyNot: (network) => this.#whyNot(network),
      refusedAt: (link) => this.#refusedAt(link),
    });
    this.#kept = input.ports.revision;
    input.reconciler.passes.subscribe(() => this.#onPass());
  }

  /** The ports that should be on our bridges: plugged ones and those that were put there directly. */
  list(): PortView[] {
    const { ports, reconciler } = this.#input;
    const wanted = ports.wanted(reconciler.cache);
    for (const id of this.#names.keys()) if (!wanted.some(({ network }) => network === id)) this.#names.delete(id);
    const wished = ports.wished.map((port) => this.#wishedView(port));
    return [...wanted.map((port) => this.#view(port)), ...this.#guests.views(), ...wished];
  }

  /** The ports that an administrator plugged in, also those of networks that the node does not have yet. */
  plugged(): LocalPort[] {
    const { ports, reconciler } = this.#input;
    return [
      ...ports.plugged.map(({ link, network }) => {
        const isReady = reconciler.isReady(portKey(link));
        return { link, network, state: isReady ? ('plugged' as const) : ('wanted' as const) };
      }),
      ...ports.wished.map(({ link, networkName }) => ({ link, network: networkName, state: 'wanted' as const })),
    ];
  }

  /** How a port is that host0 has assigned. */
  stateOf(port: AssignedPort): PortState {
    if (isTapPort(port)) return this.#guests.stateOf(port);
    const { link, network } = port;
    if (this.#input.reconciler.isReady(portKey(link))) return { state: 'plugged' };
    const known = this.#input.networks().find(({ id }) => id === network);
    return { state: 'wanted', why: this.#whyWanted({ link }, known) };
  }

  /**
   * Resolves after a pass of the loop; the view says whether the port is on the bridge then.
   * @throws MESH_PORT_UNKNOWN, MESH_PORT_TAKEN, MESH_NET_UNKNOWN, MESH_DISK_REFUSED
   * @throws MESH_PORT_UNFIT when this machine itself needs the interface
   * @throws MESH_USAGE when rules cannot name the interface
   */
  async plug(link: string, networkName: string): Promise<PortView> {
    const { ports, reconciler, clock } = this.#input;
    const patience = Promise.withResolvers<void>();
    const alarm = clock.after(START_MS, patience.resolve);
    await Promise.race([this.#isKnown, patience.promise]);
    alarm.cancel();
    const network = this.#networkOrWish(networkName);
    const { cache } = reconciler;
    const device = cache.linkNamed(link);
    if (device === undefined) throw noInterface(link);
    if (!isNftName(link)) throw notNameable(link);
    const master = cache.links.get(device.master);
    const unfit = new PortFitness(cache, this.#input.host0Stance()).unfitness(device);
    if (unfit !== undefined) throw notFit(link, unfit);
    const isPlugged = ports.plugged.some((port) => port.link === link);
    if (master !== undefined && master.name !== network?.bridge?.name) throw taken(link, master.name, isPlugged);
    this.#input.unfit.forget(link);
    if (network === undefined) return this.#wish({ link, networkName });
    const port = { link, network: network.id };
    ports.plug(port);
    await this.#keep();
    const message = `${link} is plugged into ${network.name}`;
    this.#input.journal.record({ kind: 'port plugged', object: link, network: network.id, message });
    this.#wishes.emit();
    await reconciler.wake();
    return this.#view(port);
  }

  /**
   * @param mayBeGiven whether host0 may now give this node a network that the node does not have
   * @param isKnown resolves when the agent has its networks and can answer that: a command waits for it
   */
  givenBy(mayBeGiven: () => boolean, isKnown: Promise<unknown>): void {
    this.#mayBeGiven = mayBeGiven;
    this.#isKnown = isKnown;
  }

  /** The network of this node; undefined when the node does not have it and host0 may give it. @throws MESH_NET_UNKNOWN */
  #networkOrWish(name: string): Network | undefined {
    try {
      return this.#input.networkCalled(name);
    } catch (error) {
      if (this.#mayBeGiven() && NETWORK_WORD.test(name)) return undefined;
      throw error;
    }
  }

  /** Records the port, and gives host0 a moment to give the network. */
  async #wish(port: WishedPort): Promise<PortView> {
    const { ports, reconciler, clock, journal } = this.#input;
    const { link, networkName } = port;
    ports.wish(port);
    await this.#keep();
    const message = `${link} waits for the network ${networkName}, which host0 has not given yet`;
    journal.record({ kind: 'port wished', object: link, message });
    this.#wishes.emit();
    await reconciler.wake();
    let isOver = false;
    const wake = (): void => {
      isOver = true;
      this.#onPass();
    };
    const alarm = clock.after(GIVEN_MS, wake);
    const isWaiting = () => ports.wished.some((wished) => wished.link === link);
    while (isWaiting() && !isOver) await new Promise<void>((resolve) => this.#waiting.add(resolve));
    alarm.cancel();
    const given = ports.plugged.find((plugged) => plugged.link === link);
    return given === undefined ? this.#wishedView(port) : this.#view(given);
  }

  /**
   * Resolves when the kernel shows that the port is off its bridge.
   * @throws MESH_PORT_UNKNOWN, MESH_DISK_REFUSED
   * @throws MESH_KERNEL_REFUSED when the kernel refuses the step again and again; the loop goes on trying
   */
  async unplug(link: string): Promise<void> {
    const { ports, reconciler } = this.#input;
    if (ports.isAssigned(link) || this.#guests.has(link)) throw assigned(link);
    const known = this.#input.unfit.forget(link);
    const was = ports.unplug(link);
    if (!was && !known) throw notPlugged(link);
    await this.#keep();
    if (was) {
      const message = `${link} is unplugged`;
      this.#input.journal.record({ kind: 'port unplugged', object: link, message });
    }
    this.#wishes.emit();
    await reconciler.wake();
    for (let from = ports.unpluggedFrom(link); from !== undefined; from = ports.unpluggedFrom(link)) {
      const error = reconciler.failureOf(portKey(link)) ?? reconciler.failureOf(linkKey('bridge', from));
      if (error !== undefined) throw notTakenOff(link, error);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    await this.#keep();
  }

  /**
   * Unplugs all ports of a network for host0, also those that wait for it.
   * @param id the network's identifier, by which ports know a network that the node has
   * @param name its name, by which ports wait for it
   * @throws the errors of `unplug`, and MESH_NET_SOURCE for a network of a file
   */
  async unplugAll(id: string, name: string): Promise<void> {
    const { ports } = this.#input;
    const file = this.#input.fileNetworks().find((network) => network.id === id || network.name === name);
    if (file !== undefined) throw notOfHost0(file);
    const plugged = ports.plugged.filter(({ network }) => network === id);
    const waiting = ports.wished.filter(({ networkName }) => networkName === name);
    await Promise.all([...plugged, ...waiting].map(({ link }) => this.unplug(link)));
  }

  /** Records the ports that the pass has taken off, and wakes the waiting commands. */
  #onPass(): void {
    if (this.#input.ports.revision !== this.#kept) void this.#keepLater();
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  /** Never rejects: the next pass tries again. */
  async #keepLater(): Promise<void> {
    try {
      await this.#keep();
      this.#reported = false;
    } catch (error) {
      if (!this.#reported) this.#input.journal.failure('ports not kept', error);
      this.#reported = true;
    }
  }

  /**
   * Writes the record to disk when it has changed. Only one write runs at a time, so the newest record is written last.
   */
  #keep(): Promise<void> {
    const { ports, keepPorts } = this.#input;
    this.#keeping = this.#keeping
      .catch(() => undefined)
      .then(async () => {
        const { revision } = ports;
        if (revision === this.#kept) return;
        await keepPorts(ports);
        this.#kept = revision;
      });
    return this.#keeping;
  }

  #wishedView({ link, networkName }: WishedPort): PortView {
    const mtuBytes = this.#input.reconciler.cache.linkNamed(link)?.mtuBytes;
    const view = {
      interface: link,
      network: networkName,
      networkName,
      state: 'wanted',
      why: NETWORK_NOT_GIVEN,
    } as const;
    return { ...view, refused: [], ...(mtuBytes !== undefined && { mtuBytes }) };
  }

  #view(port: ForeignPort): PortView {
    const { link, network } = port;
    const known = this.#input.networks().find(({ id }) => id === network);
    const state = this.#input.reconciler.isReady(portKey(link)) ? 'plugged' : 'wanted';
    const refused = this.#refusedAt(link);
    const device = this.#input.reconciler.cache.linkNamed(link);
    const seen = device === undefined ? {} : { mtuBytes: device.mtuBytes, ...(!device.up && { down: true as const }) };
    if (known !== undefined) this.#names.set(network, known.name);
    const networkName = this.#names.get(network);
    const named = networkName === undefined ? {} : { networkName };
    const waits = state === 'plugged' ? {} : { why: this.#whyWanted(port, known) };
    return { interface: link, network, ...named, state, ...waits, refused, ...seen };
  }

  #refusedAt(link: string): RefusedFrames[] {
    const { refusals } = this.#input;
    return refusals.counts
      .filter(({ port }) => port === link)
      .map((count) => ({ kind: count.kind, frames: count.frames, macs: refusals.offendersOf(count) }));
  }

  #whyNot(network: Network): string | undefined {
    const state = this.#input.stateOf(network);
    if (state.phase === 'failed') return `${network.name} failed: ${state.error.message}`;
    return state.phase === 'pending' ? `${network.name} waits: ${state.why}` : undefined;
  }

  /** Why the port is not on its bridge. */
  #whyWanted({ link }: Pick<ForeignPort, 'link'>, network: Network | undefined): string {
    const { reconciler } = this.#input;
    if (network === undefined) return NETWORK_NOT_HERE;
    if (reconciler.cache.linkNamed(link) === undefined) return `there is no interface ${link}`;
    const unfit = this.#input.unfit.reasonAgainst(link);
    if (unfit !== undefined) return unfit;
    const failure = reconciler.failureOf(portKey(link));
    if (failure !== undefined) return failure.message;
    return this.#whyNot(network) ?? 'it is not on its bridge yet';
  }
}

function noInterface(link: string): MeshError {
  return new MeshError('MESH_PORT_UNKNOWN', `there is no interface ${JSON.stringify(link)} here`, {
    object: link,
    remedy: 'See `ip link` for the interfaces of this machine.',
  });
}

function notNameable(link: string): MeshError {
  return new MeshError('MESH_USAGE', `nft rules cannot name the interface ${JSON.stringify(link)}`, {
    object: link,
    rule: 'The name of a port has only letters, digits and . _ @ + - in it.',
    remedy: `Give the interface another name: \`ip link set dev ${link} name NAME\`.`,
  });
}

function notFit(link: string, { reason, remedy }: Unfitness): MeshError {
  return new MeshError('MESH_PORT_UNFIT', reason, {
    object: link,
    rule: 'A port belongs to a guest; what this machine sends and receives itself does not pass a port.',
    remedy,
  });
}

function taken(link: string, bridge: string, isPlugged: boolean): MeshError {
  return new MeshError('MESH_PORT_TAKEN', `${link} is a port of ${bridge} already`, {
    object: link,
    // A port that was plugged would be put back on its bridge at once.
    remedy: `Take it off first: \`${isPlugged ? `mesh port unplug ${link}` : `ip link set ${link} nomaster`}\`.`,
  });
}

function assigned(link: string): MeshError {
  return new MeshError('MESH_PORT_TAKEN', `host0 has placed the port ${link}`, {
    object: link,
    rule: 'A port goes where it came from.',
    remedy: 'On host0, see `mesh port list --all`, and delete or move it there: `mesh port delete ID`.',
  });
}

function notOfHost0({ name }: Network): MeshError {
  return new MeshError(
    'MESH_NET_SOURCE',
    `host0 asks for an end of all ports of ${name}, which is a network of a file`,
    {
      object: name,
      rule: 'host0 takes ports off the networks that it has given, and off no network of a file.',
      remedy: `Unplug the ports on this node: \`mesh port list\`.`,
    },
  );
}

function notPlugged(link: string): MeshError {
  return new MeshError('MESH_PORT_UNKNOWN', `${link} is not plugged into any network`, {
    object: link,
    remedy: 'See `mesh port list`.',
  });
}

function notTakenOff(link: string, cause: MeshError): MeshError {
  return new MeshError(cause.code, `${link} is still on its bridge: ${cause.message}`, {
    object: link,
    remedy: `The agent tries again until it succeeds, as \`mesh plan\` shows; \`mesh port plug NETWORK ${link}\` cancels it.`,
    cause,
    retryable: true,
  });
}
