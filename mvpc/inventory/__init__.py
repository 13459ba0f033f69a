"""The inventory as offices exchange it: spreadsheets in, spreadsheets out. Knows no database.

table       bytes -> rows of text: encoding, delimiter, quotes
columns     names of the columns, German and English
cells       text of one cell -> value, or what is wrong with it
reading     rows -> devices, with every problem of the file
difference  what would change
export      devices -> CSV or plain data
"""
