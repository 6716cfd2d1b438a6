/**
 * The etcd of a lab, in which its host0 keeps what it knows: three members in the namespace of host0, on loopback. `etcdctl` there asks
 * the first one without being told where.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MeshError } from '../../model/error.ts';
import { awaitEnd, type ProcessMark, signalProcess } from '../../services/process/process-mark.ts';
import { findRecorded, forgetRecorded } from '../../services/process/process-start.ts';
import { END_DEADLINE_MS, startInside } from './host-process.ts';
import { execOn } from './host-shell.ts';
import type { LabHost } from './lab-host.ts';

/** The members, by name. The first listens where clients look for an etcd unless they are told otherwise. */
export const STORE_MEMBERS = ['etcd1', 'etcd2', 'etcd3'] as const;
/** One of them. */
export type StoreMember = (typeof STORE_MEMBERS)[number];

const FIRST_PORT = 2379;
/** Thirty times what the members of a lab need until they have a leader, on an idle machine. */
const LEADER_DEADLINE_MS = 30_000;
const POLL_MS = 100;

const clientPort = (member: StoreMember) => FIRST_PORT + 2 * STORE_MEMBERS.indexOf(member);
const clientPlace = (member: StoreMember) => `127.0.0.1:${clientPort(member)}`;
const peerPlace = (member: StoreMember) => `127.0.0.1:${clientPort(member) + 1}`;

/** The etcd of a lab as the value of `store` in host0.conf. */
export const LAB_STORE = `etcd://${STORE_MEMBERS.map(clientPlace).join(',')}`;

/** The members of one lab. */
export class StoreMembers {
  readonly #host0: LabHost;
  readonly #directory: string;

  /** @param directory that of the lab */
  constructor(host0: LabHost, directory: string) {
    this.#host0 = host0;
    this.#directory = join(directory, 'etcd');
  }

  /** Starts the members that do not run, and waits until they have a leader. @throws MESH_LAB_FAILED */
  async startAll(signal?: AbortSignal): Promise<void> {
    for (const member of STORE_MEMBERS) if (this.process(member) === undefined) this.start(member);
    const giveUpAt = performance.now() + LEADER_DEADLINE_MS;
    while (!(await this.#hasLeader())) {
      signal?.throwIfAborted();
      const ended = STORE_MEMBERS.find((member) => this.process(member) === undefined);
      if (ended !== undefined || performance.now() > giveUpAt) throw noLeader(ended, this.#directory);
      await sleep(POLL_MS);
    }
  }

  /** Starts one member, for the first time or again with what it has on its disk. @throws MESH_LAB_FAILED */
  start(member: StoreMember): ProcessMark {
    const client = `http://${clientPlace(member)}`;
    const peer = `http://${peerPlace(member)}`;
    const cluster = STORE_MEMBERS.map((one) => `${one}=http://${peerPlace(one)}`).join(',');
    return startInside(this.#host0.netns, this.#directory, {
      name: member,
      title: `the member ${member} of the etcd`,
      argv: [
        ...['etcd', '--name', member, '--data-dir', join(this.#directory, member)],
        // A member that comes back forces no election.
        ...['--pre-vote', '--logger', 'zap', '--log-level', 'warn'],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', cluster],
      ] as [string, ...string[]],
    });
  }

  /** Sends `signal` to a member, and waits for its end if the signal ends it. */
  async stop(member: StoreMember, signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT' = 'SIGKILL'): Promise<void> {
    const mark = this.process(member);
    if (mark === undefined) return;
    signalProcess(mark, signal);
    if (signal === 'SIGSTOP' || signal === 'SIGCONT') return;
    await awaitEnd([mark], END_DEADLINE_MS);
    forgetRecorded(this.#directory, member);
  }

  /** The running process of a member; undefined if it does not run. */
  process(member: StoreMember): ProcessMark | undefined {
    return findRecorded(this.#directory, member);
  }

  /** The processes of all members that run, found by their records: also when the namespace has lost its name. */
  get processes(): readonly ProcessMark[] {
    return STORE_MEMBERS.flatMap((member) => this.process(member) ?? []);
  }

  /** The member that leads the others; undefined while there is none. */
  async leader(): Promise<StoreMember | undefined> {
    for (const member of STORE_MEMBERS) {
      const { stdout } = await this.ctl(member, 'endpoint', 'status', '-w=json');
      const leader = /"leader":(\d+)/.exec(stdout)?.[1];
      if (leader !== undefined && leader !== '0' && leader === /"member_id":(\d+)/.exec(stdout)?.[1]) return member;
    }
    return undefined;
  }

  /** Runs `etcdctl`, which asks this member. */
  ctl(member: StoreMember, ...words: readonly string[]): ReturnType<typeof execOn> {
    const argv = ['env', 'ETCDCTL_API=3', 'etcdctl', '--endpoints', clientPlace(member), '--dial-timeout=1s', ...words];
    return execOn(this.#host0, this.#host0, argv);
  }

  async #hasLeader(): Promise<boolean> {
    const url = `http://${clientPlace('etcd1')}/health`;
    const { stdout } = await execOn(this.#host0, this.#host0, ['curl', '-s', '--max-time', '2', url]);
    return stdout.includes('"true"');
  }
}

function noLeader(ended: StoreMember | undefined, directory: string): MeshError {
  const fault = ended === undefined ? 'its members have found no leader' : `its member ${ended} has ended`;
  return new MeshError('MESH_LAB_FAILED', `the etcd of the lab does not work: ${fault}`, {
    object: ended ?? 'etcd',
    remedy: `See ${join(directory, `${ended ?? 'etcd1'}.log`)}.`,
  });
}
