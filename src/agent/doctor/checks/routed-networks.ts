/**
 * Firewalls of other programs that stop the guests of networks with addresses of this machine. A packet must pass the tables of all programs: a
 * rule of Meshwork cannot let through what another one drops.
 */
import { type Chain, chainText, refusesByDefault, rulesAround } from '../../firewall/chain.ts';
import type { Check, CheckFinding, HostedNetwork } from '../evidence.ts';

/** Where Docker leaves room for rules of the administrator: it writes its other chains again at each start. */
const ROOM = 'DOCKER-USER';
const FAMILIES: Readonly<Record<'ipv4' | 'ipv6', readonly string[]>> = { ipv4: ['ip', 'inet'], ipv6: ['ip6', 'inet'] };

/** Finds chains that drop forwarded packets by default, and do not name the bridge of a network that this machine routes. */
export const forwardedGuests: Check = {
  name: 'routed-networks',
  find: ({ hosted = [], chains }) =>
    chains.flatMap((chain) =>
      unknownBridges(
        chain,
        'forward',
        hosted.filter(({ isRouted }) => isRouted),
        chains,
        (bridges) => {
          const room = chains.find(
            ({ family, table, name }) => family === chain.family && table === chain.table && name === ROOM,
          );
          const place = chainText(room ?? chain);
          const rules = bridges.flatMap((bridge) =>
            ['iifname', 'oifname'].map((end) => `\`nft insert rule ${place} ${end} "${bridge}" accept\``),
          );
          return {
            saw: `the chain ${chainText(chain)} drops forwarded packets that no rule accepts, and no rule names ${bridges.join(', ')}`,
            matters:
              'Guests of these networks reach nobody outside, and port forwards lead nowhere. Rules of Meshwork cannot overrule another table.',
            remedy: `Let the networks pass: ${rules.join(', ')}, and where your firewall keeps its rules. Meshwork’s own table still says what goes in and out. With firewalld, \`firewall-cmd --permanent --zone=trusted${bridges.map((bridge) => ` --add-interface=${bridge}`).join('')}\` and \`firewall-cmd --reload\`.`,
          };
        },
      ),
    ),
};

/** Finds chains that drop what guests ask this machine for addresses and names. */
export const servedGuests: Check = {
  name: 'served-networks',
  find: ({ hosted = [], chains }) =>
    chains.flatMap((chain) =>
      unknownBridges(chain, 'input', hosted, chains, (bridges) => {
        const rules = bridges.map(
          (bridge) =>
            `\`nft insert rule ${chainText(chain)} iifname "${bridge}" meta l4proto { tcp, udp } th dport { 53, 67, 69, 547 } accept\``,
        );
        return {
          saw: `the chain ${chainText(chain)} drops packets to this machine that no rule accepts, and no rule names ${bridges.join(', ')}`,
          matters: 'Guests of these networks get no addresses and no names.',
          remedy: `Let DHCP and DNS pass: ${rules.join(', ')}, and where your firewall keeps its rules.`,
        };
      }),
    ),
};

function unknownBridges(
  chain: Chain,
  hook: string,
  hosted: readonly HostedNetwork[],
  chains: readonly Chain[],
  tell: (bridges: readonly string[]) => Pick<CheckFinding, 'saw' | 'matters' | 'remedy'>,
): CheckFinding[] {
  if (chain.hook !== hook || !refusesByDefault(chain)) return [];
  const rules = rulesAround(chain, chains).join('\n');
  const bridges = hosted
    .filter(({ families }) => families.some((family) => FAMILIES[family].includes(chain.family)))
    .map(({ bridge }) => bridge)
    .filter((bridge) => !rules.includes(`"${bridge}"`));
  if (bridges.length === 0) return [];
  return [{ code: 'MESH_MACHINE_UNFIT', severity: 'error', object: chainText(chain), ...tell(bridges) }];
}
