"""Everything that touches the world: market sources, storage, workbooks. Adapters never import each other."""
