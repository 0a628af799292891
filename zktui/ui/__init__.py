"""The interactive program. The only importer of Textual."""
