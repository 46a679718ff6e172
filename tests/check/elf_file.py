# SPDX-License-Identifier: Apache-2.0
"""Reads as much of a 64-bit little-endian ELF file as the rules look at. Source: ELF gABI 4.3."""
import struct
from collections import namedtuple

ET_REL, ET_EXEC, ET_DYN = 1, 2, 3
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
PT_GNU_STACK, PT_GNU_RELRO = 0x6474E551, 0x6474E552
PF_X, PF_W = 1, 2
SHT_SYMTAB, SHT_DYNSYM = 2, 11
SHN_UNDEF, STB_WEAK = 0, 2
DT_NEEDED, DT_RPATH, DT_TEXTREL, DT_BIND_NOW, DT_RUNPATH, DT_FLAGS = 1, 15, 22, 24, 29, 30
DT_FLAGS_1 = 0x6FFFFFFB
DF_TEXTREL, DF_BIND_NOW = 0x4, 0x8
DF_1_NOW, DF_1_PIE = 0x1, 0x08000000

Segment = namedtuple("Segment", "type flags offset address paddress file_size size align")
Section = namedtuple("Section", "name type flags address offset size link info align entry_size")
Symbol = namedtuple("Symbol", "name info other section value size")


class ElfFile:
    """Raises ValueError when it is not such a file."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{path}: not a 64-bit little-endian ELF file")
        (self.type, self.machine, _, self.entry, segments, sections, _, _, segment_size,
         segment_count, section_size, section_count, _) = struct.unpack_from("<HHIQQQIHHHHHH",
                                                                             self.data, 16)
        self.segments = [Segment(*struct.unpack_from("<IIQQQQQQ", self.data,
                                                     segments + i * segment_size))
                         for i in range(segment_count)]
        self.sections = [Section(*struct.unpack_from("<IIQQQQIIQQ", self.data,
                                                     sections + i * section_size))
                         for i in range(section_count)]

    def segment(self, kind):
        return next((segment for segment in self.segments if segment.type == kind), None)

    def dynamic(self):
        """{tag: [values]}"""
        tags = {}
        if where := self.segment(PT_DYNAMIC):
            for at in range(where.offset, where.offset + where.file_size, 16):
                tag, value = struct.unpack_from("<QQ", self.data, at)
                tags.setdefault(tag, []).append(value)
                if tag == 0:
                    break
        return tags

    def symbols(self, kind):
        """Of the table of that kind, SHT_SYMTAB or SHT_DYNSYM; [] when there is none."""
        found = []
        for table in (section for section in self.sections if section.type == kind):
            strings = self.sections[table.link].offset
            for at in range(table.offset, table.offset + table.size, 24):
                name, *rest = struct.unpack_from("<IBBHQQ", self.data, at)
                end = self.data.index(b"\0", strings + name)
                found.append(Symbol(self.data[strings + name:end].decode(), *rest))
        return found

    def undefined(self, kind):
        """Names that something else must bring; weak ones may stay without."""
        return {symbol.name for symbol in self.symbols(kind)
                if symbol.section == SHN_UNDEF and symbol.name and symbol.info >> 4 != STB_WEAK}
