/** HTTP clients for the control sockets of host0's daemon and of the agent. */
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { MeshError } from '../../model/error.ts';
import { type Paths, pathsBelow } from '../documents/paths.ts';
import { type DaemonName, startRemedy, TITLES } from '../http/service-manager.ts';
import type { AGENT_ROUTES } from '../routes/agent-routes.ts';
import type { CONTROL_ROUTES } from '../routes/control-routes.ts';
import type { RouteTable } from '../routes/route.ts';
import { ClosedConnection, callByHttp1, SilentPeer } from './http1-call.ts';
import { type Call, type CallTransport, RouteClient } from './route-client.ts';

const ANSWER_TIMEOUT_MS = 10_000;

/** What an error of the socket means for the process behind it. */
const ABSENT: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'is not running'],
  ['ECONNREFUSED', 'is not running'],
  ['ECONNRESET', 'went away'],
  ['EPIPE', 'went away'],
]);

/** The routes of the two control sockets. */
export interface ControlTables {
  readonly host0: typeof CONTROL_ROUTES;
  readonly agent: typeof AGENT_ROUTES;
}

/** The tables, loaded while the request is under way: `mesh` starts in a few milliseconds without them. */
const TABLES: { readonly [D in DaemonName]: () => Promise<ControlTables[D]> } = {
  host0: async () => (await import('../routes/control-routes.ts')).CONTROL_ROUTES,
  agent: async () => (await import('../routes/agent-routes.ts')).AGENT_ROUTES,
};

/**
 * A client of one control socket. All methods that send a request throw the MeshError that the process answered, or
 * MESH_NOT_RUNNING when it does not answer, MESH_NOT_ROOT when the socket is not open to this user, and MESH_INTERNAL
 * when the answer has not its form.
 */
export class ControlClient<D extends DaemonName = DaemonName> extends RouteClient<ControlTables[D]> {
  readonly daemon: D;
  readonly sock: string;

  /** @param places of the machine, for remedies */
  constructor(daemon: D, sock: string, places: Pick<Paths, 'root' | 'host0'> = pathsBelow('/')) {
    super(tableOf(daemon), new ControlTransport(daemon, sock, places));
    this.daemon = daemon;
    this.sock = sock;
  }

  /** Whether a process listens on the socket. */
  answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.sock);
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
  }
}

function tableOf<D extends DaemonName>(daemon: D): () => Promise<ControlTables[D] & RouteTable> {
  return TABLES[daemon];
}

/** One control socket, and what its errors mean. */
class ControlTransport implements CallTransport {
  readonly #daemon: DaemonName;
  readonly #sock: string;
  readonly #places: Pick<Paths, 'root' | 'host0'>;

  constructor(daemon: DaemonName, sock: string, places: Pick<Paths, 'root' | 'host0'>) {
    this.#daemon = daemon;
    this.#sock = sock;
    this.#places = places;
  }

  send(call: Call): ReturnType<CallTransport['send']> {
    return callByHttp1({ socketPath: this.#sock }, call, ANSWER_TIMEOUT_MS).catch((error: unknown) => {
      throw error instanceof ClosedConnection
        ? this.broken(`${call.method} ${call.path}`, error.message)
        : this.explain(error);
    });
  }

  broken(route: string, why: string): MeshError {
    return new MeshError(
      'MESH_INTERNAL',
      `${TITLES[this.#daemon]} sent an answer to ${route} that cannot be read: ${why}`,
      {
        object: this.#sock,
        remedy: 'Look whether another program listens there, or whether the process is of another version.',
      },
    );
  }

  explain(error: unknown): MeshError {
    if (error instanceof MeshError) return error;
    const title = TITLES[this.#daemon];
    if (error instanceof SilentPeer) {
      return new MeshError('MESH_NOT_RUNNING', `${title} did not answer within ${error.timeoutMs / 1000} s`, {
        object: this.#sock,
        remedy: `See \`mesh system logview --process ${this.#daemon}\` for what it is doing.`,
        retryable: true,
      });
    }
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES') {
      return new MeshError('MESH_NOT_ROOT', `you may not talk to ${title}`, {
        object: this.#sock,
        rule: 'Its control socket is for root, since who may use it may change the networks of this machine.',
        remedy: 'Run the command as root, for example with sudo.',
        cause: error,
      });
    }
    const what = ABSENT.get(code ?? '');
    if (what === undefined) return MeshError.from(error);
    return new MeshError('MESH_NOT_RUNNING', `${title} ${what}`, {
      operation: 'call',
      object: this.#sock,
      remedy: this.#absentRemedy(),
      cause: error,
      retryable: true,
    });
  }

  #absentRemedy(): string {
    const { root, host0 } = this.#places;
    if (this.#daemon === 'agent' || existsSync(host0)) return startRemedy(this.#daemon, root);
    return `Run the command on host0: this machine is a node, since it has no ${host0}.`;
  }
}

/** A client of one of the two processes of the host that `paths` are of. */
export function clientOf<D extends DaemonName>(daemon: D, paths: Paths): ControlClient<D> {
  return new ControlClient(daemon, daemon === 'host0' ? paths.controlSock : paths.agentSock, paths);
}

/** A client of this host's agent. */
export function agentClient(paths: Paths): ControlClient<'agent'> {
  return clientOf('agent', paths);
}

/** A client of this host's host0 daemon, which need not run. */
export function host0Client(paths: Paths): ControlClient<'host0'> {
  return clientOf('host0', paths);
}

/** A client of host0's daemon if it runs, because it knows all nodes; else of the agent, which knows its own networks. */
export async function bestClient(paths: Paths): Promise<ControlClient> {
  const host0 = host0Client(paths);
  return (await host0.answers()) ? host0 : agentClient(paths);
}

/** Clients of the processes that run. If neither runs, a client of the agent, so that the user sees its error. */
export async function clientsHere(paths: Paths): Promise<ControlClient[]> {
  const [host0, agent] = [host0Client(paths), agentClient(paths)];
  if (!(await host0.answers())) return [agent];
  return (await agent.answers()) ? [host0, agent] : [host0];
}
