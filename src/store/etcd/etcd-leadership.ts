/**
 * One host0 at a time works with a store. Who leads has a lease of a few seconds on the key `/v1/store/leader`, and has written the key
 * `/v1/store/term`. Every transaction demands that the term is still that: a host0 whose clock stood still, and which another has
 * followed meanwhile, changes nothing any more.
 */
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import type { Compare } from '../store.ts';
import type { EtcdClient } from './etcd-client.ts';
import {
  keyRequest,
  LeaseAnswerShape,
  leadRequest,
  leaseRequest,
  RangeAnswerShape,
  RenewalShape,
  renewalRequest,
  TxnAnswerShape,
} from './etcd-messages.ts';
import { OWN_KEYS } from './etcd-mirror.ts';

const LEADER_KEY = `${OWN_KEYS}leader`;
const TERM_KEY = `${OWN_KEYS}term`;
/** etcd takes no shorter lease than 2 s, and notices its end 0.2 s late. */
const LEASE_SEC = 4;
const RENEW_MS = 1_000;
/** A leader that was killed is gone after its lease; more would be a leader that lives. */
const PATIENCE_MS = 6_000;
const POLL_MS = 250;

/** How long before its lease ends a leader that others wait to follow stops: the next one must find nobody. */
const EARLY_MS = 500;

/** How a host0 leads that others wait to follow. */
export interface Rivalry {
  /**
   * Called at each look at the lease, a few times a second. Without an answer of true, this host0 goes on waiting.
   * @param leader the name of the host0 that leads; undefined while none does
   */
  readonly mayLead: (leader: string | undefined) => Promise<boolean>;
}

/** Who wants to lead. */
export interface LeaderInput {
  readonly client: EtcdClient;
  readonly clock: Clock;
  /** The same at each start of this host0: it need not wait for the lease of its own earlier life. */
  readonly owner: string;
  /** For people. */
  readonly name: string;
  /** Called once, when another host0 leads: this process must change nothing any more, and end. */
  readonly onLost: (error: MeshError) => void;
  /**
   * Present: several host0s follow one another. This one waits as long as another leads, and stops when its lease may have ended.
   * Absent: another host0 is an error, and an etcd that is away is no reason to stop.
   */
  readonly rivalry?: Rivalry;
}

const LeaderShape = form.object({ owner: form.string({ max: 64 }), name: form.string({ max: 256 }) });

/** The leadership of this process, until it is released or lost. */
export class EtcdLeadership {
  readonly #input: LeaderInput;
  readonly #value: string;
  readonly #term: number;
  #lease: string;
  #renewal: Alarm | undefined;
  #expiry: Alarm | undefined;
  #lost: MeshError | undefined;
  #closed = false;

  private constructor(input: LeaderInput, value: string, lease: string, term: number) {
    this.#input = input;
    this.#value = value;
    this.#lease = lease;
    this.#term = term;
  }

  /** Leads from now on, if nobody else does. @throws MESH_STORE_LED when another host0 leads; MESH_STORE_* */
  static async take(input: LeaderInput): Promise<EtcdLeadership> {
    const { clock, rivalry } = input;
    const deadlineMs = clock.nowMs() + PATIENCE_MS;
    for (;;) {
      const looked = await EtcdLeadership.#look(input).catch((thrown: unknown) => {
        // Who waits for a leader's end goes on waiting while etcd is away.
        if (rivalry === undefined) throw thrown;
        return undefined;
      });
      if (looked instanceof EtcdLeadership) return looked;
      if (rivalry === undefined && clock.nowMs() >= deadlineMs) throw led(looked, rivalry);
      await new Promise<void>((resolve) => clock.after(POLL_MS, resolve));
    }
  }

  /** @returns the leadership; else the name of the host0 that leads, if one does */
  static async #look(input: LeaderInput): Promise<EtcdLeadership | string | undefined> {
    const { client, clock, owner, name, rivalry } = input;
    const value = JSON.stringify({ owner, name });
    const { kvs } = await client.ask('/v3/kv/range', keyRequest(LEADER_KEY), RangeAnswerShape);
    const [present] = kvs;
    const other = present && readDocument(LeaderShape, present.value).document;
    const isFree = present === undefined || other?.owner === owner;
    const leader = present === undefined ? undefined : (other?.name ?? 'another host0');
    const mayLead = rivalry === undefined || (await rivalry.mayLead(isFree ? undefined : leader));
    if (!isFree || !mayLead) return leader;
    const compare = [{ key: LEADER_KEY, modRevision: present?.modRevision ?? 0 }];
    const sinceMs = clock.nowMs();
    const lease = await grant(client);
    const request = leadRequest(compare, { key: LEADER_KEY, value, lease }, { put: TERM_KEY, value });
    const answer = await client.askOnce('/v3/kv/txn', request, TxnAnswerShape);
    if (!answer?.succeeded) return undefined;
    const leadership = new EtcdLeadership(input, value, lease, answer.header.revision);
    leadership.#held(sinceMs);
    leadership.#later();
    return leadership;
  }

  /** What each transaction demands. */
  get guard(): Compare {
    return { key: TERM_KEY, modRevision: this.#term };
  }

  /** A transaction was refused, because the term is another one. */
  deposed(): MeshError {
    return this.#lose(led(undefined, this.#input.rivalry));
  }

  #lose(error: MeshError): MeshError {
    if (this.#lost !== undefined) return this.#lost;
    this.#lost = error;
    this.#input.onLost(error);
    return error;
  }

  /** Lets another lead at once. Never rejects. */
  async release(): Promise<void> {
    this.#closed = true;
    this.#renewal?.cancel();
    this.#expiry?.cancel();
    await this.#input.client
      .ask('/v3/lease/revoke', renewalRequest(this.#lease), form.object({}), { totalMs: RENEW_MS })
      .catch(() => undefined);
  }

  /** The lease holds at least LEASE_SEC from the time at which it was asked for. */
  #held(sinceMs: number): void {
    const { clock, rivalry } = this.#input;
    if (rivalry === undefined) return;
    this.#expiry?.cancel();
    const leftMs = sinceMs + LEASE_SEC * 1_000 - EARLY_MS - clock.nowMs();
    this.#expiry = clock.after(Math.max(0, leftMs), () => this.#lose(expired()));
  }

  #later(): void {
    if (this.#closed || this.#lost !== undefined) return;
    this.#renewal = this.#input.clock.after(RENEW_MS, () => {
      // An etcd that is away is told by other parts; nobody else leads meanwhile.
      void this.#renew()
        .catch(() => undefined)
        .finally(() => this.#later());
    });
  }

  async #renew(): Promise<void> {
    const { client, clock } = this.#input;
    const sinceMs = clock.nowMs();
    const patience = { attemptMs: RENEW_MS, totalMs: RENEW_MS };
    const answer = await client.ask('/v3/lease/keepalive', renewalRequest(this.#lease), RenewalShape, patience);
    if (this.#closed || this.#lost !== undefined) return;
    if (answer.result.TTL > 0) return this.#held(sinceMs);
    // The lease has ended while etcd or this process stood still. Without another leader, the term goes on.
    this.#lease = await grant(client);
    // Who has lost the lease meanwhile ends, and must not take another: the next one would wait for its end.
    if (this.#closed || this.#lost !== undefined) return;
    const request = leadRequest([this.guard], { key: LEADER_KEY, value: this.#value, lease: this.#lease });
    const again = await client.ask('/v3/kv/txn', request, TxnAnswerShape);
    if (again.succeeded) this.#held(sinceMs);
    else this.deposed();
  }
}

async function grant(client: EtcdClient): Promise<string> {
  const { ID } = await client.ask('/v3/lease/grant', leaseRequest(LEASE_SEC), LeaseAnswerShape);
  return ID;
}

function led(name: string | undefined, rivalry: Rivalry | undefined): MeshError {
  return new MeshError(
    'MESH_STORE_LED',
    `another host0 works with this store${name === undefined ? '' : `: ${name}`}`,
    {
      object: 'etcd',
      rule: 'One host0 at a time works with a store.',
      remedy:
        rivalry === undefined
          ? "Stop the other host0's daemon, or give this one a store of its own"
          : 'This host0 starts anew and waits; `mesh host0 show` says who leads.',
    },
  );
}

/** A leader that others wait to follow has heard nothing of etcd. */
function expired(): MeshError {
  return new MeshError('MESH_STORE_LED', 'etcd did not renew the lease of this host0: another host0 may lead now', {
    object: 'etcd',
    rule: `Of several host0s, the one that leads has a lease of ${LEASE_SEC} s in etcd, and stops before that ends.`,
    remedy: 'Look at etcd (`etcdctl endpoint health`) and at the way there. This host0 starts anew and waits.',
  });
}
