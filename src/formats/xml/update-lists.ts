/** Changes of cards, port groups and records of names. */
import type { NetworkDns, SrvRecord } from '../../model/network/dns.ts';
import type { Network } from '../../model/network/network.ts';
import { readSoughtHost, readSrv, readTxt } from './parts/dns-xml.ts';
import { type KeptPortGroup, keptOf, withKept } from './parts/kept.ts';
import { readPortGroup } from './parts/limits-xml.ts';
import { refusal, word } from './text/element-reader.ts';
import { added, type Entry, invalid, notSupported, replaced } from './update-entry.ts';

const NO_DNS: NetworkDns = { hosts: [], srv: [], txt: [], forwarders: [] };

/** The changes, by the numbers of their sections. */
export const LIST_SECTIONS: Readonly<Record<number, (network: Network, entry: Entry) => Network>> = {
  7: changedCards,
  9: changedPortGroups,
  10: changedDnsHosts,
  11: changedTxt,
  12: changedSrv,
};

function changedCards(network: Network, { root, command, portsOn }: Entry): Network {
  const { name, type, routing } = network;
  const dev = word(root, 'dev');
  if (dev === undefined) {
    throw refusal('missing dev attribute in <interface> element', { at: root, rule: 'A card is named by its device.' });
  }
  if (command === 'modify') {
    throw notSupported('forward interface entries cannot be modified, only added or deleted');
  }
  const cards = type.kind === 'macvtap' ? type.cards : routing.via;
  const at = cards.indexOf(dev);
  const withCards = (now: readonly string[]): Network =>
    type.kind === 'macvtap'
      ? { ...network, type: { ...type, cards: now } }
      : { ...network, routing: { ...routing, via: now } };
  if (command !== 'delete') {
    if (at === -1) return withCards(added(cards, dev, command));
    throw invalid(`there is an existing interface entry in network '${name}' that matches "<interface dev='${dev}'>"`);
  }
  if (at === -1)
    throw invalid(`couldn't find an interface entry in network '${name}' matching <interface dev='${dev}'>`);
  const count = portsOn(dev);
  if (count === 0) return withCards(replaced(cards, at));
  throw invalid(
    `unable to delete interface '${dev}' in network '${name}'. It is currently being used by ${count} domains.`,
  );
}

function changedPortGroups(network: Network, { root, command }: Entry): Network {
  const { name, guests = { portGroups: [] } } = network;
  const { portGroups } = guests;
  const { group, kept } = readPortGroup(root);
  const at = portGroups.findIndex((one) => one.name === group.name);
  const isAdded = command === 'add-first' || command === 'add-last';
  if (at === -1 && !isAdded) {
    throw invalid(`couldn't find a portgroup entry in network '${name}' matching <portgroup name='${group.name}'>`);
  }
  if (at !== -1 && isAdded) {
    throw invalid(
      `there is an existing portgroup entry in network '${name}' that matches "<portgroup name='${group.name}'>"`,
    );
  }
  const isTwice = portGroups.some((one, index) => one.isDefault && index !== at);
  if (command !== 'delete' && group.isDefault && isTwice) {
    const message = `a different portgroup entry in network '${name}' is already set as the default. Only one default is allowed.`;
    throw invalid(message);
  }
  const now = isAdded
    ? added(portGroups, group, command)
    : replaced(portGroups, at, command === 'delete' ? undefined : group);
  return withKeptGroup(
    { ...network, guests: { ...guests, portGroups: now } },
    group.name,
    command === 'delete' ? {} : kept,
  );
}

function withKeptGroup(network: Network, name: string, group: KeptPortGroup): Network {
  const { portGroups = {}, ...kept } = keptOf(network);
  const { [name]: before, ...others } = portGroups;
  if (before === undefined && Object.keys(group).length === 0) return network;
  const now = Object.keys(group).length === 0 ? others : { ...others, [name]: group };
  const extra = withKept(network.extra, { ...kept, ...(Object.keys(now).length > 0 && { portGroups: now }) });
  return { ...network, extra };
}

/** The names of a network with others; without names where none are left. */
function withDns(network: Network, dns: NetworkDns): Network {
  const { hosts, srv, txt, forwarders, ...flags } = dns;
  const isEmpty = [hosts, srv, txt, forwarders].every((list) => list.length === 0) && Object.keys(flags).length === 0;
  const { dns: _, ...others } = network;
  return isEmpty ? others : { ...others, dns };
}

function changedDnsHosts(network: Network, { root, command, notes }: Entry): Network {
  const { name, dns = NO_DNS } = network;
  if (command === 'modify') throw notSupported('DNS HOST records cannot be modified, only added or deleted');
  const isDelete = command === 'delete';
  const { address, names } = readSoughtHost(root, notes, isDelete);
  if (!isDelete) {
    if (address === undefined || dns.hosts.some((one) => one.address === address)) {
      throw invalid(`there is already at least one DNS HOST record with a matching field in network ${name}`);
    }
    return withDns(network, { ...dns, hosts: added(dns.hosts, { address, names }, command) });
  }
  const found = dns.hosts.filter(
    (one) => (address !== undefined && one.address === address) || one.names.some((known) => names.includes(known)),
  );
  const [first, second] = found;
  if (first === undefined) throw invalid(`couldn't locate a matching DNS HOST record in network ${name}`);
  if (second !== undefined) throw invalid(`multiple matching DNS HOST records were found in network ${name}`);
  return withDns(network, { ...dns, hosts: dns.hosts.filter((one) => one !== first) });
}

function changedTxt(network: Network, { root, command, notes }: Entry): Network {
  const { name, dns = NO_DNS } = network;
  if (command === 'modify') throw notSupported('DNS TXT records cannot be modified, only added or deleted');
  const record = readTxt(root, notes, command === 'delete');
  const at = dns.txt.findIndex((one) => one.name === record.name);
  if (command === 'delete') {
    if (at === -1) throw invalid(`couldn't locate a matching DNS TXT record in network ${name}`);
    return withDns(network, { ...dns, txt: replaced(dns.txt, at) });
  }
  if (at !== -1) throw invalid(`there is already a DNS TXT record with name '${record.name}' in network ${name}`);
  return withDns(network, { ...dns, txt: added(dns.txt, record, command) });
}

function changedSrv(network: Network, { root, command, notes }: Entry): Network {
  const { name, dns = NO_DNS } = network;
  if (command === 'modify') throw notSupported('DNS SRV records cannot be modified, only added or deleted');
  const record = readSrv(root, notes, command === 'delete');
  const found = dns.srv.filter((one) => isMeant(one, record));
  const [first, second] = found;
  if (command !== 'delete') {
    if (first === undefined) return withDns(network, { ...dns, srv: added(dns.srv, record, command) });
    throw invalid(`there is already at least one DNS SRV record matching all specified fields in network ${name}`);
  }
  if (first === undefined) throw invalid(`couldn't locate a matching DNS SRV record in network ${name}`);
  if (second !== undefined) {
    throw invalid(`multiple DNS SRV records matching all specified fields were found in network ${name}`);
  }
  return withDns(network, { ...dns, srv: dns.srv.filter((one) => one !== first) });
}

/** All fields that are named are the same. */
function isMeant(one: SrvRecord, named: SrvRecord): boolean {
  return (['service', 'protocol', 'domain', 'target', 'port', 'priority', 'weight'] as const).every(
    (key) => named[key] === undefined || named[key] === '' || named[key] === one[key],
  );
}
