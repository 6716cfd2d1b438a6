/** The doctor of this machine, with the real kernel, segments, disk and settings. */
import { probeKernel } from '../../kernel/probe.ts';
import { probeAddresses } from '../../kernel/sockets/arp.ts';
import { askUnderlay } from '../../kernel/sockets/inquiry.ts';
import { writeSysctl } from '../../kernel/sysctl.ts';
import { ELSEWHERE } from '../desired/rules/inet-table.ts';
import type { SystemKernel } from '../kernel/system-kernel.ts';
import { type CollectionInput, collectEvidence } from './collection.ts';
import { Doctor } from './doctor.ts';
import { readCounters } from './proc.ts';
import { RecentCounts } from './recent-counts.ts';

/** The agent that is examined, and where its machine keeps things. */
export interface SystemDoctorInput
  extends Pick<CollectionInput, 'agent' | 'echo' | 'images' | 'stateDirectory' | 'controlSock'> {
  readonly kernel: Pick<SystemKernel, 'ruleset' | 'counted'>;
}

/** An answer takes a millisecond. A machine that is too busy to answer in this time is missed until the next run. */
const INQUIRY_TIMEOUT_MS = 400;

/** Called once when the agent starts. It reads counters then and at each audit, and all else at an examination. */
export function systemDoctor({ kernel, ...input }: SystemDoctorInput): Doctor {
  const { reconciler, input: agentInput } = input.agent;
  const recent = new RecentCounts(agentInput.clock);
  const counters = async () => ({
    ...(await readCounters()),
    fromElsewhere: (await kernel.counted('inet', ELSEWHERE)) ?? 0,
  });
  const sample = () => {
    counters().then(
      (counts) => recent.take(counts),
      (thrown: unknown) => agentInput.journal.faults.tell('look at the counters', thrown),
    );
  };
  sample();
  reconciler.audits.subscribe(sample);
  return new Doctor({
    collect: () =>
      collectEvidence({
        ...input,
        ruleset: () => kernel.ruleset(),
        counters: async () => {
          const now = await counters();
          return {
            ...now,
            checksumErrors: recent.growth('checksumErrors', now.checksumErrors),
            fromElsewhere: recent.growth('fromElsewhere', now.fromElsewhere),
          };
        },
        probe: probeKernel,
        probeAddresses: (link, targets) => probeAddresses(link, targets, { timeoutMs: INQUIRY_TIMEOUT_MS }),
        askUnderlay: (segment, question) => askUnderlay(segment, question, { timeoutMs: INQUIRY_TIMEOUT_MS }),
      }),
    set: ({ name, value }) => writeSysctl(name.split('/'), value),
  });
}
