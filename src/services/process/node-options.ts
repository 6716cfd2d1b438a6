/** How Node runs host0's daemon and the agent, whoever starts them: the command, a lab, or init on a node. */
import type { DaemonName } from '../../protocol/http/service-manager.ts';

/**
 * The size of one of V8's three young spaces, in MB; 16 if not given. So much garbage of short life piles up before V8 looks: a
 * burst of requests made host0 41 to 52 MB larger for good, with 1 MB it is 8 to 19. An agent is 4 MB smaller than with 4 MB.
 */
const YOUNG_SPACE_MB = 1;

/** The threads on which V8 collects garbage and compiles: 4 if not given. Those of an agent are hardly used. */
const V8_THREADS: Readonly<Record<DaemonName, number>> = { host0: 4, agent: 1 };

/** Options before the program's file. The script `agent` of a node's image has the same. */
export function nodeOptionsOf(daemon: DaemonName): readonly string[] {
  return [
    '--disable-warning=ExperimentalWarning',
    `--max-semi-space-size=${YOUNG_SPACE_MB}`,
    `--v8-pool-size=${V8_THREADS[daemon]}`,
  ];
}
