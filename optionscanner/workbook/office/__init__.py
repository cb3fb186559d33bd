"""LibreOffice Calc as an engine of xlwings: bridge, process, and the classes that xlwings asks for."""
