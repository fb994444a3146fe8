#!/usr/bin/env python3
"""A second reader of Lagan repositories, written from spec/ alone. Local folders only: an object's name is its path.

    reader.py REPOSITORY (--password-file F | --key-file F) list | tree SNAPSHOT | extract SNAPSHOT TARGET

SNAPSHOT is an id, the beginning of one, or `latest`. Every chunk's name is verified, whether it came from the hinted pack or not.
Packages: cryptography, cbor2, zstandard, lz4, blake3.
"""

import argparse
import hashlib
import json
import os
import re
import struct
import sys
import unicodedata
from dataclasses import dataclass

import blake3
import cbor2
import lz4.block
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MIB = 1 << 20
CONTENTS = 0xFFFFFFFF
FEATURES = {'naming-keys'}
KINDS = {'pack': 1, 'index': 2, 'snapshot': 3, 'root': 4, 'configuration': 5, 'metadata': 6, 'catalogue': 11}
TYPES = {1: 'file', 2: 'directory', 3: 'symlink', 4: 'fifo', 5: 'socket', 6: 'character-device', 7: 'block-device'}


class Damaged(Exception):
    """The repository has what the specification forbids, or lacks what it needs."""


def require(condition, message):
    if not condition:
        raise Damaged(message)


# Bytes (spec/README.md, "Conventions")


class Reader:
    def __init__(self, data, what):
        self.data, self.at, self.what = data, 0, what

    def raw(self, count):
        require(0 <= count <= len(self.data) - self.at, f'{self.what}: ends too early at {self.at}')
        self.at += count
        return self.data[self.at - count:self.at]

    def u8(self):
        return self.raw(1)[0]

    def varint(self, limit=2**64 - 1):
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            require(shift < 70, f'{self.what}: a varint of more than ten bytes')
        require(byte != 0 or shift == 0, f'{self.what}: a varint that is not in its shortest form')
        require(value <= limit, f'{self.what}: {value} is above {limit}')
        return value

    def svarint(self):
        value = self.varint()
        return value >> 1 if value & 1 == 0 else -(value >> 1) - 1

    def bytes(self, limit):
        return self.raw(self.varint(limit))

    def text(self, limit):
        data = self.bytes(limit)
        try:
            require(data, f'{self.what}: an empty text')
            return data.decode()
        except UnicodeDecodeError:
            require(False, f'{self.what}: a text that is not UTF-8')

    def time(self):
        return self.svarint(), self.varint(999_999_999)

    def end(self):
        require(self.at == len(self.data), f'{self.what}: {len(self.data) - self.at} bytes after the end')


def decode_cbor(data, what):
    try:
        value = cbor2.loads(data)
        same = cbor2.dumps(value, canonical=True) == data
    except Exception as error:
        raise Damaged(f'{what}: {error}') from error
    require(same and isinstance(value, dict), f'{what}: not the CBOR of the format')
    return value


def versioned(data, what):
    record = decode_cbor(data, what)
    require(record.get('version') == 1, f'{what}: version {record.get("version")}')
    return record


# Keys (spec/keys.md)


def hkdf(key, salt, info):
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(key)


ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'


def decode_text_key(text, word):
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith('#')]
    require(lines, 'the key file has no key')
    joined = ' '.join(lines)
    require(joined.lower().startswith(word + ' '), f'not a {word}')
    symbols = re.sub(r'[\s-]', '', joined[len(word):]).upper().replace('I', '1').replace('L', '1').replace('O', '0')
    require(len(symbols) == 58 and all(symbol in ALPHABET for symbol in symbols), 'the key has a typing mistake')
    number = 0
    for symbol in symbols:
        number = number << 5 | ALPHABET.index(symbol)
    require(number & 3 == 0, 'the key has a typing mistake')
    data = (number >> 2).to_bytes(36, 'big')
    require(hashlib.sha256(word.encode() + data[:32]).digest()[:4] == data[32:], 'the key has a typing mistake')
    return data[:32]


def open_slot(slot, secret):
    kind, value = secret
    if slot['kind'] != kind:
        return None
    if kind == 'password':
        kdf = slot['kdf']
        lanes, memory, passes = kdf['lanes'], kdf['memoryKiB'], kdf['passes']
        require(1 <= lanes <= 64 and 1 <= passes <= 64 and 8 * lanes <= memory <= 4 << 20, 'a slot that costs too much')
        password = unicodedata.normalize('NFC', value).encode()
        key = Argon2id(salt=kdf['salt'], length=32, iterations=passes, lanes=lanes, memory_cost=memory).derive(password)
    else:
        key = hkdf(value, slot['salt'], b'lagan key file')
    clear = {name: field for name, field in slot.items() if name not in ('nonce', 'sealed')}
    try:
        return AESGCM(key).decrypt(slot['nonce'], slot['sealed'], b'lagan slot' + cbor2.dumps(clear, canonical=True))
    except InvalidTag:
        return None


# Repository


@dataclass
class Pack:
    name: str
    header: bytes
    key: bytes
    blocks: list
    """(offset, sealed length, codec, raw length, chunk lengths) of each block."""
    places: dict
    """Chunk name to (block, offset, length)."""
    kind: int


class Repository:
    def __init__(self, folder, secret):
        self.folder = folder
        form = decode_cbor(self.read('owner/format'), 'owner/format')
        require(form['lagan'] == 1, f'format {form["lagan"]}')
        unknown = set(form['features']['refuse']) - FEATURES
        require(not unknown, f'unknown features {unknown}')
        self.id = form['repository']
        self.open_keyring(self.open_slots(secret))
        name = max(self.list(r'owner/config/[0-9a-f]{8}'))
        self.configuration = versioned(self.open_small(name, 'configuration'), name)
        for names in ('ignore', 'readOnly', 'refuse'):
            require(set(form['features'][names]) <= set(self.configuration['features'][names]), 'features that are not sealed')
        require(set(self.configuration['features']['refuse']) <= FEATURES, 'unknown features')
        if self.naming is not None:
            self.name_keys = {1: self.naming['name'], 6: self.naming['metadataName']}
        else:
            naming = self.masters.get(self.configuration['nameEpoch'])
            require(naming, 'the keyring lacks the epoch by which chunks are named')
            self.name_keys = {1: self.derive(naming, 'lagan name key'), 6: self.derive(naming, 'lagan metadata name key')}
        self.packs, self.block = {}, (None, None)

    def path(self, name):
        return os.path.join(self.folder, *name.split('/'))

    def read(self, name):
        try:
            with open(self.path(name), 'rb') as file:
                return file.read()
        except FileNotFoundError as error:
            raise Damaged(f'{name} is missing') from error

    def list(self, pattern):
        base = pattern.split('/[')[0].split('/(')[0]
        names = []
        for folder, _, files in os.walk(self.path(base)):
            names += [os.path.relpath(os.path.join(folder, file), self.folder) for file in files]
        return sorted(name for name in names if re.fullmatch(pattern, name))

    def open_slots(self, secret):
        access_keys = []
        for name in self.list(r'owner/keys/[0-9a-f]{32}'):
            slot = decode_cbor(self.read(name), name)
            require(slot['lagan'] == 1 and slot['id'].hex() == name[-32:], f'{name}: another slot')
            if slot['grants'] == 'full' and slot['repository'] == self.id and (access_key := open_slot(slot, secret)):
                access_keys.append(access_key)
        require(access_keys, 'no slot opens with that secret')
        return access_keys

    def open_keyring(self, access_keys):
        names = self.list(r'owner/keyring/[0-9a-f]{8}-full')
        require(names, 'there is no keyring')
        data, number = self.read(names[-1]), int(names[-1][-13:-5], 16)
        additional = b'lagan keyring' + self.id + struct.pack('<I', number) + b'full'
        keyring = None
        for access_key in access_keys:
            try:
                keyring = keyring or versioned(AESGCM(access_key).decrypt(data[:12], data[12:], additional), names[-1])
            except InvalidTag:
                pass
        require(keyring, f'{names[-1]} does not open')
        require((keyring['repository'], keyring['number'], keyring['grants']) == (self.id, number, 'full'), f'{names[-1]}: another keyring')
        self.naming = keyring.get('naming')
        self.masters = {entry['epoch']: entry['master'] for entry in keyring['epochs']}

    def derive(self, master, info):
        return hkdf(master, self.id, info.encode())

    # Sealed objects (spec/sealed.md)

    def open_header(self, name, header, kinds):
        require(len(header) == 80 and header[:6] == b'LAGAN\x1a' and header[7] == 1, f'{name}: not a sealed object')
        kind, (epoch, reserved) = header[6], struct.unpack('<II', header[8:16])
        last = name.rsplit('/', 1)[1]
        object_id = bytes.fromhex(last) if re.fullmatch('[0-9a-f]{32}', last) else hashlib.sha256(name.encode()).digest()[:16]
        require(kind in kinds and reserved == 0, f'{name}: kind {kind}')
        require(header[16:32] == self.id and header[32:48] == object_id, f'{name}: another object')
        class_key = self.derive(self.masters[epoch], 'lagan data key' if kind == 1 else 'lagan metadata key')
        return hkdf(class_key, header[48:], b'lagan object key' + header)

    def open_segment(self, name, key, header, number, offset, stored):
        require(len(stored) >= 21 and struct.unpack('<I', stored[:4])[0] == len(stored) - 4, f'{name}: a segment of another length at {offset}')
        nonce, additional = struct.pack('<I8x', number), header + struct.pack('<IQ', number, offset)
        try:
            return AESGCM(key).decrypt(nonce, stored[4:], additional)
        except InvalidTag as error:
            raise Damaged(f'{name}: segment {number} was changed') from error

    def open_small(self, name, kind, data=None):
        data = data or self.read(name)
        key = self.open_header(name, data[:80], {KINDS[kind]})
        return self.open_segment(name, key, data[:80], 0, 80, data[80:])

    # Packs (spec/pack.md)

    def open_pack(self, pack_id):
        if pack_id not in self.packs:
            role = 'collector' if pack_id[0] & 0x80 else 'writer'
            name = f'{role}/packs/{pack_id.hex()[:2]}/{pack_id.hex()}'
            try:
                with open(self.path(name), 'rb') as file:
                    self.packs[pack_id] = self.read_contents(name, file)
            except FileNotFoundError:
                self.packs[pack_id] = None
        return self.packs[pack_id]

    def read_contents(self, name, file):
        size = os.fstat(file.fileno()).st_size
        require(size <= 256 * MIB, f'{name}: too big')
        header = file.read(80)
        key = self.open_header(name, header, {1, 6})
        file.seek(size - 16)
        offset, length, magic = struct.unpack('<QII', file.read(16))
        require(magic == 0x4E41474C and offset >= 80 and offset + 4 + length + 16 == size, f'{name}: not a footer')
        file.seek(offset)
        contents = Reader(self.open_segment(name, key, header, CONTENTS, offset, file.read(4 + length)), name)
        blocks, places, expected = [], {}, 80
        for _ in range(contents.varint(65_536)):
            at, sealed, codec, raw, count = (contents.varint(), contents.varint(), contents.u8(), contents.varint(32 * MIB), contents.varint(65_536))
            require(at == expected and codec <= 2 and count > 0, f'{name}: not the contents of a pack')
            expected += 4 + sealed
            blocks.append((at, sealed, codec, raw, [None] * count))
        require(blocks and expected == offset, f'{name}: blocks that do not end at the contents')
        limit = MIB if header[6] == 1 else 16 * MIB
        for block in blocks:
            block[4][:] = [contents.varint(limit) for _ in block[4]]
            require(sum(block[4]) == block[3] and all(block[4]), f'{name}: chunk lengths that do not add up')
        for index, block in enumerate(blocks):
            start = 0
            for chunk_length in block[4]:
                places[contents.raw(32)] = (index, start, chunk_length)
                start += chunk_length
        contents.end()
        return Pack(name, header, key, blocks, places, header[6])

    def read_block(self, pack, index):
        if self.block[0] == (pack.name, index):
            return self.block[1]
        offset, sealed, *row = pack.blocks[index]
        with open(self.path(pack.name), 'rb') as file:
            file.seek(offset)
            plain = Reader(self.open_segment(pack.name, pack.key, pack.header, index, offset, file.read(4 + sealed)), pack.name)
        codec, raw_length, count = plain.u8(), plain.varint(32 * MIB), plain.varint(65_536)
        lengths = [plain.varint() for _ in range(count)]
        require([codec, raw_length, lengths] == row, f'{pack.name}: a block that is not what the contents say')
        raw = decode_payload(codec, plain.raw(len(plain.data) - plain.at), raw_length)
        require(len(raw) == raw_length, f'{pack.name}: a block of another length')
        self.block = ((pack.name, index), raw)
        return raw

    def chunk(self, name, hint, kind):
        pack = self.open_pack(hint)
        if pack is None or name not in pack.places:
            pack = self.find_chunk(name)
        require(pack.kind == kind, f'chunk {name.hex()} is in a pack of kind {pack.kind}')
        index, start, length = pack.places[name]
        data = self.read_block(pack, index)[start:start + length]
        require(blake3.blake3(data, key=self.name_keys[kind]).digest() == name, f'chunk {name.hex()} has another name')
        return data

    def find_chunk(self, name):
        """In whichever pack has it: packs move when they are repacked."""
        for path in self.all_packs():
            pack = self.open_pack(bytes.fromhex(path[-32:]))
            if pack and name in pack.places:
                return pack
        raise Damaged(f'chunk {name.hex()} is in no pack')

    def all_packs(self):
        return [name for role in ('writer', 'collector') for name in self.list(role + r'/packs/[0-9a-f]{2}/[0-9a-f]{32}')]

    # Snapshots (spec/snapshot.md, spec/root.md)

    def root(self):
        names = self.list(r'collector/roots/[0-9a-f]{16}')
        require(names, 'there is no root')
        root = versioned(self.open_small(names[-1], 'root'), names[-1])
        require(root['number'] == int(names[-1][-16:], 16), f'{names[-1]}: another root')
        return root

    def catalogue(self, root):
        reference = root['catalogue']
        if reference is None:
            return {}
        name = f'collector/catalogue/{reference["id"].hex()}'
        require(hashlib.sha256(self.read(name)).digest() == reference['hash'], f'{name}: not what the root refers to')
        entries = versioned(self.open_small(name, 'catalogue'), name)['snapshots']
        return {f'writer/snapshots/{entry["generation"]:016x}/{entry["id"].hex()}': entry['object'] for entry in entries}

    def snapshots(self):
        while True:
            root = self.root()
            catalogue = self.catalogue(root)
            names = {*self.list(r'writer/snapshots/[0-9a-f]{16}/[0-9a-f]{32}'), *catalogue}
            lowest = root['pastFloor'] if root['phase'] == 'fencing' else root['floor']
            found = [self.snapshot(name, catalogue.get(name)) for name in names if name in catalogue or int(name[-49:-33], 16) >= lowest]
            if self.root()['number'] == root['number']:
                return sorted(found, key=lambda one: one['started'])

    def snapshot(self, name, stored):
        """`stored`: its bytes, where the catalogue has them."""
        snapshot = versioned(self.open_small(name, 'snapshot', stored), name)
        require(snapshot['session'].hex() == name[-32:] and snapshot['generation'] == int(name[-49:-33], 16), f'{name}: another snapshot')
        require((snapshot['tree'] is None) == (snapshot['packs'] is None), f'{name}: a tree without packs')
        return snapshot

    def find_snapshot(self, text):
        found = [one for one in self.snapshots() if text == 'latest' or one['session'].hex().startswith(text)]
        require(found, f'there is no snapshot {text}')
        require(text == 'latest' or len(found) == 1, f'{text} is ambiguous')
        return found[-1]

    # Nodes (spec/node.md)

    def node(self, reference, kind, parent=None):
        """The leaf items below, in order. `parent`: (height, last name, last name of the node before) that the node must fit."""
        pack, name = reference
        reader = Reader(self.chunk(name, pack, 6), f'node {name.hex()}')
        require(reader.u8() == kind and reader.u8() == 1, f'{reader.what}: another kind of node')
        height = reader.varint(32)
        require(parent is None or height == parent[0], f'{reader.what}: height {height}')
        packs = [reader.raw(16) for _ in range(bounded(reader, 16))]
        strings = [reader.text(1024) for _ in range(bounded(reader, 1))]
        count = bounded(reader, 1)
        require(count > 0, f'{reader.what}: no items')
        previous = parent[2] if parent else None
        items = []
        first = reader.at
        for _ in range(count):
            require(reader.at <= first + 2**20, f'{reader.what}: a node that should have ended')
            if height > 0:
                last = read_last(reader, kind)
                below = reader.varint()
                items.append((last, below, read_reference(reader, packs)))
            else:
                items.append(read_leaf_item(reader, kind, packs, strings))
                last = items[-1]['name'] if kind == 1 else items[-1] if kind == 3 else None
            require(last is None or previous is None or previous < last, f'{reader.what}: items that do not ascend')
            previous = last
        reader.end()
        require(parent is None or previous == parent[1], f'{reader.what}: another last item')
        if height == 0:
            yield from items
            return
        after = None
        for last, below, child in items:
            yield from self.node(child, kind, (height - 1, last, after))
            after = last

    def entries(self, reference):
        return self.node(reference, 1) if reference else iter(())

    def extents(self, entry):
        form, value = entry['content']
        return self.node(value, 2) if form == 2 else iter(value)

    def walk(self, reference, path=b''):
        for entry in self.entries(reference):
            full = path + b'/' + entry['name']
            yield full, entry
            if entry['type'] == 'directory':
                yield from self.walk(entry['node'], full)


def decode_payload(codec, payload, raw_length):
    try:
        if codec == 0:
            return payload
        if codec == 2:
            return lz4.block.decompress(payload, uncompressed_size=raw_length)
        stream = zstandard.ZstdDecompressor().stream_reader(payload, read_across_frames=True)
        return stream.read(raw_length + 1)
    except (zstandard.ZstdError, lz4.block.LZ4BlockError) as error:
        raise Damaged(f'a block that does not decompress: {error}') from error


def bounded(reader, least):
    count = reader.varint()
    require(count * least <= len(reader.data) - reader.at, f'{reader.what}: {count} items cannot fit')
    return count


def read_reference(reader, packs):
    index = reader.varint()
    require(index < len(packs), f'{reader.what}: a reference beyond the pack table')
    return packs[index], reader.raw(32)


def read_last(reader, kind):
    if kind == 1:
        return read_name(reader)
    return reader.raw(16) if kind == 3 else None


def read_name(reader):
    name = reader.bytes(255)
    require(name not in (b'', b'.', b'..') and b'/' not in name and b'\0' not in name, f'{reader.what}: a name {name}')
    return name


def read_leaf_item(reader, kind, packs, strings):
    if kind == 3:
        return reader.raw(16)
    return read_extent(reader, packs) if kind == 2 else read_entry(reader, packs, strings)


def read_extent(reader, packs):
    kind, length = reader.u8(), reader.varint()
    require(kind <= 2 and length > 0, f'{reader.what}: not an extent')
    return length, read_reference(reader, packs) if kind == 0 else None


def read_entry(reader, packs, strings):
    end = reader.varint() + reader.at
    entry = {'name': read_name(reader), 'type': TYPES.get(reader.u8())}
    require(entry['type'], f'{reader.what}: an unknown type of entry')
    entry['mode'] = reader.varint(0o7777)
    entry['uid'], entry['gid'] = reader.varint(2**32 - 1), reader.varint(2**32 - 1)
    require(reader.varint() <= len(strings) and reader.varint() <= len(strings), f'{reader.what}: a name beyond the table')
    entry['mtime'], entry['ctime'], entry['inode'] = reader.time(), reader.time(), reader.varint()
    read_type_fields(reader, entry, packs)
    entry['extensions'] = read_extensions(reader)
    require(reader.at == end, f'{reader.what}: an entry of another length')
    if entry['type'] == 'file' and entry['content'][0] != 2 and 6 not in entry['extensions']:
        require(sum(length for length, _ in entry['content'][1]) == entry['size'], f'{reader.what}: extents that do not add up')
    return entry


def read_type_fields(reader, entry, packs):
    kind = entry['type']
    if kind == 'file':
        entry['size'], form = reader.varint(), reader.u8()
        require(form <= 2, f'{reader.what}: content form {form}')
        if form == 2:
            reader.varint(32)
            entry['content'] = (2, read_reference(reader, packs))
            for _ in range(reader.varint(4096)):
                require(reader.varint() < len(packs), f'{reader.what}: a pack beyond the table')
        else:
            count = bounded(reader, 2) if form else 0
            require(form == 0 or 0 < count <= 65_536, f'{reader.what}: {count} extents')
            entry['content'] = (form, [read_extent(reader, packs) for _ in range(count)])
    elif kind == 'directory':
        present = reader.u8()
        require(present <= 1, f'{reader.what}: a flag {present}')
        entry['node'] = read_reference(reader, packs) if present else None
        entry['files'], entry['bytes'] = reader.varint(), reader.varint()
    elif kind == 'symlink':
        entry['target'] = reader.bytes(65_536)
    elif kind.endswith('device'):
        entry['device'] = (reader.varint(2**32 - 1), reader.varint(2**32 - 1))


def read_extensions(reader):
    found, previous = {}, 0
    for _ in range(reader.varint(64)):
        kind, value = reader.varint(2**32 - 1), reader.bytes(MIB)
        require(kind > previous, f'{reader.what}: extensions that do not ascend')
        found[kind] = value
        previous = kind
    return found


# Commands


def list_snapshots(repository):
    for snapshot in repository.snapshots():
        print(json.dumps({
            'id': snapshot['session'].hex(), 'generation': snapshot['generation'], 'started': snapshot['started'], 'host': snapshot['host'],
            'paths': [path.decode(errors='surrogateescape') for path in snapshot['paths']], 'tags': snapshot['tags'], 'statistics': snapshot['statistics'],
        }))


def root_of(snapshot):
    tree = snapshot['tree']
    return (tree['pack'], tree['name']) if tree else None


def print_tree(repository, snapshot):
    check_packs(repository, snapshot)
    for path, entry in repository.walk(root_of(snapshot)):
        seconds, nanoseconds = entry['mtime']
        line = f'{entry["type"]} {entry["mode"]:04o} {entry.get("size", 0)} {seconds}.{nanoseconds:09d} '
        sys.stdout.buffer.write(line.encode() + path + b'\n')


def check_packs(repository, snapshot):
    """The pack list has the count that the snapshot says, and all its packs are there."""
    packs = snapshot['packs']
    if packs:
        listed = list(repository.node((packs['pack'], packs['name']), 3))
        require(len(listed) == packs['count'], 'a pack list of another length')
        require(all(repository.open_pack(pack) for pack in listed), 'a pack is missing')


def extract(repository, snapshot, target):
    links, directories = {}, []
    os.makedirs(target, exist_ok=True)
    for path, entry in repository.walk(root_of(snapshot)):
        place = os.fsencode(target) + path
        if not make_hard_link(entry, place, links):
            make_entry(repository, entry, place)
        if entry['type'] == 'directory':
            directories.append((place, entry))
        else:
            set_metadata(place, entry)
    for place, entry in reversed(directories):
        set_metadata(place, entry)


def make_hard_link(entry, place, links):
    if 2 not in entry['extensions'] or entry['type'] == 'directory':
        return False
    identity = Reader(entry['extensions'][2], 'link identity')
    count, device = identity.varint(), identity.varint()
    first = links.setdefault((device, entry['inode']), place)
    if count < 2 or first == place:
        return False
    os.link(first, place, follow_symlinks=False)
    return True


def make_entry(repository, entry, place):
    kind = entry['type']
    if kind == 'directory':
        os.mkdir(place)
    elif kind == 'symlink':
        os.symlink(entry['target'], place)
    elif kind == 'fifo':
        os.mkfifo(place)
    elif kind == 'file':
        with open(place, 'xb') as file:
            for length, reference in repository.extents(entry):
                write_extent(repository, file, length, reference)
            file.truncate()
            require(file.tell() == entry['size'] or 6 in entry['extensions'], f'{place}: a content of another length')
    else:
        print(f'not made: {kind} {place}', file=sys.stderr)


def write_extent(repository, file, length, reference):
    if reference is None:
        file.seek(length, os.SEEK_CUR)
        return
    data = repository.chunk(reference[1], reference[0], 1)
    require(len(data) == length, f'chunk {reference[1].hex()}: an extent of another length')
    file.write(data)


def set_metadata(place, entry):
    if not os.path.lexists(place):
        return
    if os.geteuid() == 0:
        os.chown(place, entry['uid'], entry['gid'], follow_symlinks=False)
    set_xattrs(place, entry)
    if entry['type'] != 'symlink':
        os.chmod(place, entry['mode'])
    seconds, nanoseconds = entry['mtime']
    os.utime(place, ns=(seconds * 10**9 + nanoseconds,) * 2, follow_symlinks=False)


def set_xattrs(place, entry):
    if 1 not in entry['extensions']:
        return
    reader = Reader(entry['extensions'][1], 'xattrs')
    for _ in range(reader.varint(65_536)):
        name, value = reader.bytes(1024), reader.bytes(MIB)
        try:
            os.setxattr(place, name, value, follow_symlinks=False)
        except OSError as error:
            print(f'not set: {name} of {place}: {error}', file=sys.stderr)
    reader.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('repository')
    parser.add_argument('--password-file')
    parser.add_argument('--key-file')
    parser.add_argument('command', choices=['list', 'tree', 'extract'])
    parser.add_argument('arguments', nargs='*')
    options = parser.parse_args()
    try:
        run(options)
    except (Damaged, KeyError, TypeError, ValueError) as error:
        sys.exit(f'error: {type(error).__name__}: {error}')


def run(options):
    if options.key_file:
        with open(options.key_file, encoding='utf-8') as file:
            secret = ('key-file', decode_text_key(file.read(), 'lagan-key-1'))
    else:
        with open(options.password_file, encoding='utf-8') as file:
            secret = ('password', file.read().rstrip('\r\n'))
    repository = Repository(options.repository, secret)
    if options.command == 'list':
        list_snapshots(repository)
        return
    snapshot = repository.find_snapshot(options.arguments[0])
    if options.command == 'tree':
        print_tree(repository, snapshot)
    else:
        extract(repository, snapshot, options.arguments[1])


if __name__ == '__main__':
    main()
