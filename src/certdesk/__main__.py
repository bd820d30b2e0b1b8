from certdesk.interfaces.cli.main import main

main()
