/** The rooms of `src/`: what is in each, which rooms it may import from, and why. Their sub-folders are in `folders.ts`. */

/** What a room or a sub-folder may import from, each with the reason. */
export type Reasons = Readonly<Record<string, string>>;

export interface Room {
  /** What the map in CONTRIBUTING.md says of the room. */
  readonly what: string;
  /** The rooms below that it may import from. */
  readonly may: Reasons;
}

const COMPOSITION = 'a composition root puts the parts together';

/** From the top down: a room may import only from rooms that stand below it. */
export const ROOMS: Readonly<Record<string, Room>> = {
  main: {
    what: 'where the processes start: composition only',
    may: Object.fromEntries(
      [
        'cli',
        'api',
        'libvirt',
        'backup',
        'boot',
        'image',
        'controller',
        'agent',
        'services',
        'store',
        'disk',
        'kernel',
        'machine',
        'metrics',
        'formats',
        'protocol',
        'model',
      ].map((room) => [room, COMPOSITION]),
    ),
  },
  cli: {
    what: 'the `mesh` command, a folder a noun; `program.ts` is the tree',
    may: {
      model: 'names and addresses as arguments',
      protocol: 'the documents that it prints',
      formats: '`network check` works without a running process',
      disk: '`node adopt` makes the folder of a machine, which must survive a power cut',
      machine: '`genid machine` works without a running process',
      kernel: 'permanent Ethernet addresses for `genid machine`, and what only root may do',
      lab: '`mesh lab`',
      bridging: '`mesh node bridge-nic` works without a running process',
      image: '`mesh system image`, `mesh system configure` and `mesh node preview` work without a running process',
      services: 'processes by pid and start time',
      boot: 'the boot script that `mesh node preview` shows',
      metrics: 'how labels are written',
      store: '`mesh system backup` works without a running process',
      libvirt: 'ports of libvirt’s networks are asked for as programs of libvirt do',
      backup: '`mesh system backup`, `restore` and `diff`',
    },
  },
  lab: {
    what: 'clusters on one machine, in network namespaces and emulated machines',
    may: {
      model: 'addresses and identities of its hosts',
      protocol: 'paths and member lists',
      disk: 'the record of a lab survives a crash',
      kernel: 'namespaces, links and pings',
      services: 'processes by pid and start time',
      image: 'emulated machines boot what is compiled and built for real ones',
      formats: 'topologies are YAML, and what a guest boots is an archive',
    },
  },
  bridging: {
    what: 'a network card under a bridge: plan, trial, confirmation and the way back',
    may: {
      model: 'errors and addresses',
      protocol: 'the paths of a machine, and the forms of records',
      formats: 'the files of the distribution’s own tools',
      disk: 'a record, and files, that survive a power cut',
      kernel: 'all that a card has moves in one batch',
      services: 'the watcher and DHCP clients are processes',
    },
  },
  libvirt: {
    what: 'libvirt’s wire protocol: virsh and programs of libvirt manage the networks of host0, and an API in TypeScript does',
    may: {
      model: 'networks, errors and the clock',
      protocol: 'the journal, host0’s sockets, and the documents of the catalogue',
      formats: 'networks and ports in libvirt’s XML',
      disk: 'ports outlive a restart of host0',
      controller: 'the networks are those of the catalogue',
    },
  },
  api: {
    what: 'what host0 answers: the member list inside each mesh, the channels of nodes, and its control socket',
    may: {
      model: 'documents are made of the model’s types',
      protocol: 'the routes’ documents',
      controller: 'a transport calls the controller',
      disk: 'host0 sends files of its own to nodes',
      kernel: 'listeners bound to a device, and who is at the other end',
      formats: 'elements of networks in libvirt’s XML',
      metrics: 'it times its answers, and serves what was counted',
    },
  },
  backup: {
    what: 'all that host0 is as one file: written, read, compared, and put in the place of what a machine has',
    may: {
      model: 'errors and the version',
      protocol: 'the paths of a machine, and the running host0’s copy of its store',
      boot: 'which links are the network cards of a machine',
      image: 'the generations of the mirror',
      store: 'a copy of the store, and a store that is filled from one',
      disk: 'files that survive a power cut',
      kernel: 'one restore at a time, and the network cards of a machine',
      machine: 'who fills a store',
      formats: 'host0’s settings, which name network cards',
    },
  },
  boot: {
    what: 'host0’s side of the boot segments: scan, modes, DHCP and boot server, who boots and how far each boot is',
    may: {
      model: 'segments have addresses',
      protocol: 'the segment that assignments speak of',
      kernel: 'which NICs host0 has, and what is on them',
      machine: 'a machine is recognised as it would recognise itself',
      services: 'dnsmasq, which speaks DHCP and TFTP for us',
      formats: 'host0’s settings',
      disk: 'allocations that survive a power cut',
      store: 'boots under way, which outlive host0’s daemon',
      controller: 'subnets of segments come from the pools',
    },
  },
  image: {
    what: 'what machines run: overlays from manifests, the node’s image from packages, and the mirror of Alpine’s',
    may: {
      model: 'machines, errors and the version',
      protocol: 'the paths of host0',
      formats: 'manifests, archives and programs',
      disk: 'images and overlays that survive a power cut',
      services: 'which process builds an image now',
      kernel: 'one process at a time changes the mirror',
    },
  },
  controller: {
    what: 'host0’s brain: who is a member of which mesh, and which machines there are',
    may: {
      model: 'what a cluster is',
      protocol: 'what it tells agents and hears from them',
      formats: 'host0’s network files and settings',
      store: 'the only writer of desired state',
      metrics: 'what it counts of itself',
    },
  },
  agent: {
    what: 'a node’s brain: desired and observed items, the plan, its application',
    may: {
      model: 'what a node takes part in',
      protocol: 'what it tells host0 and hears from it',
      formats: 'a node’s own network files',
      disk: 'what must be there again after a power cut, and files that services read',
      kernel: 'the only writer of kernel state',
      services: 'processes that serve networks',
      metrics: 'what it counts of itself',
    },
  },
  services: {
    what: 'child processes that outlive us, and their configurations',
    may: { model: 'the clock and errors', protocol: 'the journal, and what a service tells of itself' },
  },
  store: {
    what: 'host0’s memory: revisions, transactions, watches',
    may: {
      model: 'errors, the clock and randomness',
      disk: 'directories that survive a power cut, and files that are moved aside',
      formats: 'what host0 shows to etcd is in a file that people write',
      protocol: 'what is not well with a store is a finding',
    },
  },
  disk: {
    what: 'files that survive a power cut, watched directories, accepted sets of files',
    may: {
      model: 'errors and the clock',
      formats: 'network files are judged before they are taken',
      protocol: 'documents have one reader',
    },
  },
  kernel: {
    what: 'rtnetlink, nft, namespaces, sockets, one mirror of links, addresses, routes and entries a process',
    may: { model: 'addresses and errors' },
  },
  machine: {
    what: 'what a machine is known by, and what it is made of',
    may: { model: 'machine ids and errors', protocol: 'the paths of a machine' },
  },
  metrics: {
    what: 'counters, gauges, histograms, and their text for Prometheus',
    may: { model: 'the clock and the version', protocol: 'the status that becomes numbers' },
  },
  formats: {
    what: 'parsers and printers of what people write, and how an error is shown',
    may: { model: 'formats parse into the model', protocol: 'a format may print what a process told' },
  },
  protocol: {
    what: 'what the processes say to each other, how they are asked, and the journal',
    may: { model: 'documents are made of the model’s types' },
  },
  model: {
    what: 'networks, members, addresses, identifiers, errors',
    may: {},
  },
};
