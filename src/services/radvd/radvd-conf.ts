/** The configuration of a radvd that serves one network. Pure. */
import type { RouterAdvertisement } from '../../protocol/documents/service/assigned-ra.ts';

/** An advertisement comes each 3 to 4 seconds: a guest that misses one has the next before the router's lifetime ends. */
const INTERVAL_SEC = { min: 3, max: 4 } as const;
/** Guests forget a resolver or a domain after three advertisements that they have missed (RFC 8106 §5.1). */
const RESOLVER_LIFETIME_SEC = 12;

/**
 * The text of the file. All its values are numbers, addresses and words without blanks, so that nothing in it can end a statement.
 * @param device the link on which radvd advertises
 */
export function radvdConf(device: string, advertisement: RouterAdvertisement): string {
  const { lifetimeSec, reachableMs, mtuBytes, prefixes, resolvers, searchDomains, managed, otherConfig } =
    advertisement;
  return [
    '# Made by Meshwork; changes are overwritten.',
    `interface ${device} {`,
    '  AdvSendAdvert on;',
    '  IgnoreIfMissing on;',
    `  MinRtrAdvInterval ${INTERVAL_SEC.min};`,
    `  MaxRtrAdvInterval ${INTERVAL_SEC.max};`,
    `  AdvDefaultLifetime ${lifetimeSec};`,
    `  AdvReachableTime ${reachableMs};`,
    `  AdvLinkMTU ${mtuBytes};`,
    ...(managed === true ? ['  AdvManagedFlag on;'] : []),
    ...(otherConfig === true ? ['  AdvOtherConfigFlag on;'] : []),
    ...prefixes.flatMap(({ prefix, validSec, preferredSec }) => [
      `  prefix ${prefix} {`,
      '    AdvOnLink on;',
      '    AdvAutonomous on;',
      `    AdvValidLifetime ${validSec};`,
      `    AdvPreferredLifetime ${preferredSec};`,
      '  };',
    ]),
    ...listLines('RDNSS', resolvers),
    ...listLines('DNSSL', searchDomains),
    '};',
    '',
  ].join('\n');
}

function listLines(option: 'RDNSS' | 'DNSSL', values: readonly string[]): readonly string[] {
  if (values.length === 0) return [];
  return [`  ${option} ${values.join(' ')} {`, `    Adv${option}Lifetime ${RESOLVER_LIFETIME_SEC};`, '  };'];
}
