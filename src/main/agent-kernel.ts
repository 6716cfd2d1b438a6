/** Composes what an agent does in its kernel: the kernel itself, and echoes through it. */
import type { BorrowedSettings } from '../agent/kernel/borrowed-settings.ts';
import type { Echo } from '../agent/kernel/kernel-port.ts';
import { SystemKernel } from '../agent/kernel/system-kernel.ts';
import type { SizedEcho } from '../agent/ping/path-mtu.ts';
import { EchoSocket } from '../kernel/sockets/echo.ts';
import { echoThrough } from '../kernel/sockets/scoped-echo.ts';
import type { MeshError } from '../model/error.ts';
import type { Journal } from '../protocol/journal/journal.ts';

/** An agent's kernel. */
export interface AgentKernel {
  readonly kernel: SystemKernel;
  readonly echo: Echo;
  /** An echo of a given size, which no router may cut into pieces. */
  readonly sizedEcho: SizedEcho;
}

/** Opens the kernel of the process's namespace. The caller closes `kernel`. */
export async function openAgentKernel(journal: Journal, settings: BorrowedSettings): Promise<AgentKernel> {
  const onError = (error: MeshError) => journal.failure('link not deleted', error, { level: 'error' });
  const kernel = await SystemKernel.open(onError, { settings });
  const echoes = EchoSocket.open({});
  return {
    kernel,
    echo: (to, timeoutMs, device) => echoThrough(echoes, device, (socket) => socket.echo(to, { timeoutMs })),
    sizedEcho: (to, timeoutMs, payloadBytes, device) =>
      echoThrough(echoes, device, (socket) => socket.echo(to, { timeoutMs, payloadBytes, dontFragment: true })),
  };
}
