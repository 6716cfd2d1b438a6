/**
 * Pings the other members in turn, a few at a time. host0 lists a member that reports to it; whether packets pass between two
 * nodes, only they themselves can find out.
 */
import type { Alarm } from '../../model/clock.ts';
import type { Member } from '../../model/network/member.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { Finding, HealthSource } from '../../protocol/documents/finding.ts';
import type { Agent } from '../agent.ts';
import { underlayFindings } from '../view/underlay-findings.ts';

const TICK_MS = 5_000;
/** All members are pinged in a minute, as long as there are few enough. */
const TICKS_A_ROUND = 12;
const PINGS_MAX = 32;
/** On an idle network an answer takes less than 1 ms; a busy machine may need hundreds. */
const TIMEOUT_MS = 1_000;
const ATTEMPTS = 2;
/** host0 takes a member that has ended off its list after 9 s, and nodes hear of that in another second or two. */
const GONE_MS = 15_000;
/** Members that one finding names. */
const NAMED = 4;

/** The agent, as far as the watch needs it. */
export interface WatchedAgent extends Pick<Agent, 'cache'> {
  readonly source: Pick<Agent['source'], 'networks' | 'attachments' | 'host0Stance'>;
  readonly input: Pick<Agent['input'], 'machine' | 'clock' | 'echo'>;
}

/** A member of one network; a machine is another member in each of its networks. */
interface Target {
  readonly key: string;
  readonly network: Mesh;
  readonly member: Member;
}

/** Watches whether the members answer. It does nothing before `start`. */
export class MemberWatch implements HealthSource {
  readonly #agent: WatchedAgent;
  /** Since when a member gives no answer, on the clock, by the key of the target. */
  readonly #silentSinceMs = new Map<string, number>();
  /** The place in the list of all targets where the next tick goes on. */
  #next = 0;
  #alarm: Alarm | undefined;
  #stopped = false;

  constructor(agent: WatchedAgent) {
    this.#agent = agent;
  }

  start(): void {
    if (this.#stopped) return;
    this.#alarm = this.#agent.input.clock.after(TICK_MS, () => void this.#tick().finally(() => this.start()));
  }

  stop(): void {
    this.#stopped = true;
    this.#alarm?.cancel();
  }

  /** An error for each network with members that host0 lists and that have given no answer for 15 s. */
  health(): Finding[] {
    // Nobody else is to blame while nothing can come in.
    if (this.#silentSinceMs.size === 0 || underlayFindings(this.#agent).length > 0) return [];
    const beforeMs = this.#agent.input.clock.nowMs() - GONE_MS;
    const silent = this.#targets().filter(({ key }) => (this.#silentSinceMs.get(key) ?? beforeMs + 1) <= beforeMs);
    const byNetwork = Map.groupBy(silent, ({ network }) => network);
    return Array.from(byNetwork, ([{ name }, targets]) => {
      const names = targets.slice(0, NAMED).map(({ member }) => `${member.name} (${member.ipv4})`);
      const rest = targets.length > NAMED ? ` and ${targets.length - NAMED} more` : '';
      return {
        code: 'MESH_MEMBER_SILENT',
        severity: 'error',
        object: name,
        message: `host0 lists ${names.join(', ')}${rest} in ${name}, and this node gets no answer from there`,
        remedy: '`mesh doctor` here and there looks for the cause; `mesh trace` follows the packets.',
      };
    });
  }

  async #tick(): Promise<void> {
    const targets = this.#targets();
    const known = new Set(targets.map(({ key }) => key));
    for (const key of this.#silentSinceMs.keys()) if (!known.has(key)) this.#silentSinceMs.delete(key);
    const count = Math.min(PINGS_MAX, targets.length, Math.ceil(targets.length / TICKS_A_ROUND));
    const turn = Array.from({ length: count }, (_, index) => targets[(this.#next + index) % targets.length]);
    this.#next = targets.length === 0 ? 0 : (this.#next + count) % targets.length;
    const again = targets.filter(({ key }) => this.#silentSinceMs.has(key)).slice(0, PINGS_MAX);
    await Promise.all([...new Set([...turn, ...again])].map((target) => target && this.#ping(target)));
  }

  /** Never rejects. */
  async #ping({ key, member }: Target): Promise<void> {
    const { echo, clock } = this.#agent.input;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      // Without a route the kernel refuses to send, which counts as no answer.
      const rttMs = await echo(member.ipv6, TIMEOUT_MS).catch(() => undefined);
      if (rttMs !== undefined) {
        this.#silentSinceMs.delete(key);
        return;
      }
    }
    if (!this.#silentSinceMs.has(key)) this.#silentSinceMs.set(key, clock.nowMs());
  }

  /** The other members of all networks in which host0 answers, without host0: the membership client pings host0. */
  #targets(): Target[] {
    const { source, input } = this.#agent;
    return source.attachments().flatMap(({ network, members, host0Answers }) => {
      const own = memberAddresses(network, input.machine).ipv6;
      const host0 = memberAddresses(network, 'host0').ipv6;
      if (!host0Answers) return [];
      return members
        .filter(({ ipv6 }) => ipv6 !== own && ipv6 !== host0)
        .map((member) => ({ key: `${network.id} ${member.ipv6} ${member.ipv4}`, network, member }));
    });
  }
}
