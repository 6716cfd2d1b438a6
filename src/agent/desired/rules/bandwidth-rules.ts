/**
 * How much a network may carry between its guests and their node, and what is behind the node. What is above the rate is dropped: senders of
 * TCP become slower, and nothing waits. Guests of one node among themselves are not limited.
 */
import type { Bandwidth } from '../../../model/network/guests.ts';
import { nftElements, nftName } from '../../items/nft-text.ts';
import type { BridgedNetwork } from '../bridged-network.ts';
import type { ChainShare, LimitShare, RuleContribution } from './contribution.ts';
import { INET_PLACE } from './inet-table.ts';
import { chain } from './refusal-chains.ts';

/** The kernel hands on several segments of TCP as one packet of up to 64 KiB: with a smaller burst none would pass. */
const BURST_MIN_BYTES = 128 * 1024;

/** The contribution of a network; no rules for one without limits. */
export function bandwidthRules({ number, bridge, bandwidth }: BridgedNetwork): RuleContribution {
  const name = nftName(bridge.name);
  const limits: LimitShare[] = [];
  const chains: ChainShare[] = [];
  if (bandwidth?.in !== undefined) {
    const limit = limitOf(`in-${number}`, bandwidth.in);
    limits.push(limit);
    const rule = `oifname ${name} limit name "${limit.name}" drop`;
    chains.push(chain(INET_PLACE.limits.output, [rule]), chain(INET_PLACE.limits.forward, [rule]));
  }
  if (bandwidth?.out !== undefined) {
    const limit = limitOf(`out-${number}`, bandwidth.out);
    limits.push(limit);
    const rule = `iifname ${name} limit name "${limit.name}" drop`;
    chains.push(chain(INET_PLACE.limits.input, [rule]), chain(INET_PLACE.limits.forward, [rule]));
  }
  return { number, what: 'bandwidth', inet: { limits, chains } };
}

function limitOf(name: string, { averageBytesPerSec, burstBytes = 0 }: Bandwidth): LimitShare {
  const [rate, burst] = [averageBytesPerSec, Math.max(burstBytes, BURST_MIN_BYTES)].map((bytes) =>
    nftElements([String(bytes)]),
  );
  return { name, declaration: `rate over ${rate} bytes/second burst ${burst} bytes` };
}
