/**
 * The proof that a node has the token which host0 gave its machine. The token itself is never sent: who reads a report can use
 * the proof for nothing else than this report.
 *
 * host0 gives a nonce in each answer to a report that has one, and refuses an old one with MESH_MEMBER_UNPROVEN and a new one.
 * A node that has no nonce yet sends an empty one.
 */
import { createHmac } from 'node:crypto';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { NetworkId } from '../../model/network/network.ts';
import type { SelfReport } from './membership.ts';

/** 32 hex digits. */
export const NONCE = /^[0-9a-f]{32}$/;

/** What a proof is about: what the report asks for, and the addresses that it comes from. */
export interface ProvenReport extends Pick<SelfReport, 'machine' | 'name' | 'instance' | 'leaving'> {
  readonly network: NetworkId;
  readonly ipv4: Ipv4;
  readonly mac: Mac;
  readonly ipv6: Ipv6;
}

/**
 * HMAC-SHA-256 over the nonce and the report, 64 hex digits. Node and host0 compute it from the addresses that each sees.
 * @param token 64 hex digits: the key
 */
export function proofOf(token: string, nonce: string, report: ProvenReport): string {
  const { network, machine, name, instance, ipv4, mac, ipv6, leaving } = report;
  const ask = leaving === true ? 'leave' : 'stay';
  const words = ['meshwork report', nonce, network, machine, name, instance, ipv4, mac, ipv6, ask];
  return createHmac('sha256', Buffer.from(token, 'hex')).update(words.join('\0')).digest('hex');
}
