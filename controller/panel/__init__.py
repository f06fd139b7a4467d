"""What a browser sees: one page that shows the station now. Reading only; buttons and commands are elsewhere."""
