/** How Node runs host0's daemon and the agent, whoever starts them: the command, a lab, or init on a node. */
import type { DaemonName } from '../../protocol/http/service-manager.ts';

/**
 * The size of one of V8's three young spaces, in MB; 16 if not given. So much garbage of short life piles up before V8 looks: a
 * burst of requests made host0 41 to 52 MB larger for good, with 1 MB it is 8 to 19. Work that takes all of a processor takes a
 * tenth more with 1 MB, and no more than before with 4: an agent has more such work, and fewer strangers.
 */
const YOUNG_SPACE_MB: Readonly<Record<DaemonName, number>> = { host0: 1, agent: 4 };

/** Options before the program's file. The script `agent` of a node's image has the same. */
export function nodeOptionsOf(daemon: DaemonName): readonly string[] {
  return ['--disable-warning=ExperimentalWarning', `--max-semi-space-size=${YOUNG_SPACE_MB[daemon]}`];
}
