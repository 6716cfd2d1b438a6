/** The Unix socket of a control API. Root and the owning group may connect; one process at a time may listen. */
import { once } from 'node:events';
import { chmod, mkdir, rm } from 'node:fs/promises';
import type { Server, ServerOptions } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { MeshError } from '../../model/error.ts';

/** The group needs both modes to connect: to enter the directory, and to write to the socket. */
const DIRECTORY_MODE = 0o750;
const SOCKET_MODE = 0o660;

/** The times of the servers on control sockets: a client that was stopped in the middle of a request keeps no memory. */
export const CONTROL_TIMES = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 10_000,
  connectionsCheckingInterval: 5_000,
} satisfies ServerOptions;

/**
 * Makes the directory of a socket, and removes a socket that an ended process left behind.
 * @throws MESH_ALREADY_RUNNING, MESH_KERNEL_REFUSED
 */
export async function claimControlSocket(path: string): Promise<void> {
  if (await answers(path)) {
    throw new MeshError('MESH_ALREADY_RUNNING', `another process already listens on ${path}`, {
      operation: 'listen',
      object: path,
      remedy: 'Stop the other process first (`mesh system stop`), or give this one another --root.',
    });
  }
  try {
    await mkdir(dirname(dirname(path)), { recursive: true });
    await mkdir(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
    await rm(path, { force: true });
  } catch (cause) {
    throw cannotListen(path, cause);
  }
}

/**
 * Binds a server to a socket that was claimed before, and opens the socket to the group.
 * @throws MESH_KERNEL_REFUSED
 */
export async function listenOnControlSocket(server: Server, path: string): Promise<void> {
  try {
    server.listen({ path });
    await once(server, 'listening');
    await chmod(path, SOCKET_MODE);
  } catch (cause) {
    throw cannotListen(path, cause);
  }
}

function cannotListen(path: string, cause: unknown): MeshError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new MeshError('MESH_KERNEL_REFUSED', `cannot listen on ${path}: ${message}`, {
    operation: 'listen',
    object: path,
    remedy: 'Run it as root, with a run directory that can be written and a path of at most 107 bytes.',
    cause,
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
